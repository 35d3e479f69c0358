package notify_test

import (
	"fmt"
	"testing"

	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/audit"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/notify"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/record"
)

func BenchmarkCompose(b *testing.B) {
	for _, accounts := range []int{1, 1000} {
		b.Run(fmt.Sprintf("accounts=%d", accounts), func(b *testing.B) {
			var evaluations []audit.Evaluation
			for a := range accounts {
				for region := range 34 {
					e := evaluation(fmt.Sprintf("xx-region-%d", region+1), audit.NoRules, "no rule on the only event bus")
					e.Account = fmt.Sprintf("%012d", a)
					evaluations = append(evaluations, e)
				}
			}
			r := recordOf(evaluations...)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := notify.Compose(r, record.Failing); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
