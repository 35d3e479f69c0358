package audit_test

import (
	"context"
	"testing"

	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/audit"
)

// BenchmarkRun is what the fan-out itself costs, with an inspector that costs nothing.
func BenchmarkRun(b *testing.B) {
	candidates := regions(34_000)
	b.ReportAllocs()
	for b.Loop() {
		audit.NewReport(audit.Run(b.Context(), candidates, inspectorFunc(func(context.Context, audit.Candidate) (audit.Snapshot, error) { return passing() }), options()), "")
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(candidates)), "ns/scope")
}
