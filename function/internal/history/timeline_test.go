package history_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/history"
)

func TestTimeline(t *testing.T) {
	at := func(day, hour int) time.Time { return time.Date(2026, 11, day, hour, 0, 0, 0, time.UTC) }
	runs := []history.Run{ // not in order, as a listing may be
		{At: at(6, 6), Evaluations: findings("eu-west-1=ACTIVE_RULES sa-east-1=NO_RULES")},
		{At: at(1, 6), Evaluations: findings("eu-west-1=ACTIVE_RULES sa-east-1=ACTIVE_RULES")},
		{At: at(2, 6), Evaluations: findings("eu-west-1=NO_RULES sa-east-1=ACTIVE_RULES")},
		{At: at(2, 18), Evaluations: findings("eu-west-1=NO_ACTIVE_RULES sa-east-1=TIMEOUT")},
		{At: at(3, 6), Evaluations: findings("eu-west-1=TIMEOUT sa-east-1=NO_RULES")},
		{At: at(3, 7), Evaluations: findings("us-east-1=EXCLUDED")},
	}
	failures, days := history.Timeline(runs)
	var got []string
	for _, f := range failures {
		until := "…"
		if f.Until != nil {
			until = f.Until.Format("Jan2 15h")
		}
		got = append(got, fmt.Sprintf("%s %s %s–%s %s", f.Region, strings.Join(f.Reasons, "+"), f.From.Format("Jan2 15h"), until, f.For))
	}
	want := "sa-east-1 NO_RULES Nov3 06h–… 72h0m0s; eu-west-1 NO_RULES+NO_ACTIVE_RULES Nov2 06h–Nov6 06h 96h0m0s"
	if strings.Join(got, "; ") != want {
		t.Errorf("got  %s\nwant %s", strings.Join(got, "; "), want)
	}
	if got, want := fmt.Sprint(days), "[{2026-11-01 0 1} {2026-11-02 1 2} {2026-11-03 2 2} {2026-11-04 2 0} {2026-11-05 2 0} {2026-11-06 1 1}]"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if failures, days := history.Timeline(nil); failures != nil || days != nil {
		t.Error(failures, days)
	}
}
