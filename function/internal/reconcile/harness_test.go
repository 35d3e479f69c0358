package reconcile_test

import (
	"context"
	"encoding/json"
	"flag"
	"io"
	"log/slog"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/audit"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/cloud"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/notify"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/offline"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/reconcile"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/record"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/sim"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/trigger"
)

func TestMain(m *testing.M) {
	offline.Guard()
	status := m.Run()
	given := func(name string) bool { return flag.Lookup("test."+name).Value.String() != "" }
	if status == 0 && !given("run") && !given("skip") && !given("list") {
		status = checkPermissions(m) // of all that the tests did, so only after all of them
	}
	os.Exit(status)
}

const topic = "arn:aws:sns:us-east-1:123456789012:eventbridge-auditor"

// healthy is an account in which every enabled region passes under both policies.
const healthy = `{
  "topics": ["` + topic + `"],
  "otherRegions": {"buses": {"default": [{"name": "nightly", "targets": [{"id": "1", "arn": "arn:aws:sqs:us-east-1:123456789012:q"}]}]}}
}`

func world(t *testing.T, scenario string, faults ...sim.Fault) *sim.World {
	t.Helper()
	s, err := sim.Parse([]byte(scenario))
	if err != nil {
		t.Fatal(err)
	}
	s.Faults = append(s.Faults, faults...)
	w, err := sim.New(s)
	if err != nil {
		t.Fatal(err)
	}
	seen(w)
	return w
}

func options() reconcile.Options {
	return reconcile.Options{
		RunID:  "run-1",
		Audit:  audit.Options{Policy: audit.Conformity, Concurrency: 64, RegionTimeout: 10 * time.Second, Now: time.Now},
		Notify: notify.Options{TopicARN: topic},
		Log:    slog.New(slog.NewTextHandler(io.Discard, nil)),
	}
}

func session(w *sim.World, region string) *cloud.Session {
	return cloud.OpenStatic(cloud.Static{HTTPClient: w.Client(), Region: region, AccessKeyID: "AKIAIOSFODNN7EXAMPLE", SecretAccessKey: "secret", Timeout: 10 * time.Second})
}

func run(ctx context.Context, w *sim.World, o reconcile.Options) (record.Record, error) {
	return reconcile.Run(ctx, session(w, "us-east-1"), o, trigger.Trigger{Kind: trigger.Manual, ID: "req-1"})
}

func row(t *testing.T, r record.Record, region string) audit.Evaluation {
	t.Helper()
	for _, e := range r.Evaluations {
		if e.Region == region {
			return e
		}
	}
	t.Fatalf("no row for %s", region)
	return audit.Evaluation{}
}

// published returns the texts of the one message that was published.
func published(t *testing.T, w *sim.World) (sim.Published, map[string]string) {
	t.Helper()
	messages := w.Published()
	if len(messages) != 1 {
		t.Fatalf("%d messages were published, want 1", len(messages))
	}
	var texts map[string]string
	if err := json.Unmarshal([]byte(messages[0].Message), &texts); err != nil {
		t.Fatal(err)
	}
	return messages[0], texts
}

// worlds are all simulated accounts of the test run, whose calls show what permissions the product needs.
var worlds struct {
	sync.Mutex
	all []*sim.World
}

func seen(w *sim.World) {
	worlds.Lock()
	defer worlds.Unlock()
	worlds.all = append(worlds.all, w)
}
