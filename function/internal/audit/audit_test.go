package audit_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/audit"
)

type inspectorFunc func(context.Context, audit.Candidate) (audit.Snapshot, error)

func (f inspectorFunc) Inspect(ctx context.Context, c audit.Candidate, _ audit.Policy) (audit.Snapshot, error) {
	return f(ctx, c)
}

func regions(n int) []audit.Candidate {
	var cs []audit.Candidate
	for i := range n {
		cs = append(cs, audit.Candidate{Scope: audit.Scope{Account: "123456789012", Region: fmt.Sprintf("r%02d", i)}, OptIn: audit.OptInEnabled})
	}
	return cs
}

func options() audit.Options {
	return audit.Options{Policy: audit.Conformity, Concurrency: 64, RegionTimeout: 10 * time.Second, Now: time.Now}
}

func passing() (audit.Snapshot, error) {
	var s audit.Snapshot
	s.Add(audit.Rule{Name: "r", State: audit.StateEnabled})
	return s, nil
}

func hang(ctx context.Context) (audit.Snapshot, error) {
	<-ctx.Done()
	return audit.Snapshot{}, &audit.Failure{Reason: audit.Timeout, Detail: "no answer", Err: ctx.Err()}
}

func TestOneRegionNeverChangesAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		evaluations := audit.Run(t.Context(), regions(34), inspectorFunc(func(ctx context.Context, c audit.Candidate) (audit.Snapshot, error) {
			switch c.Region {
			case "r03":
				return hang(ctx)
			case "r07":
				panic("a bug")
			case "r11":
				return audit.Snapshot{}, errors.New("an error nobody classified")
			case "r13":
				return audit.Snapshot{}, fmt.Errorf("wrapped: %w", &audit.Failure{Reason: audit.DeniedBySCP, Detail: "denied"})
			}
			return passing()
		}), options())
		if took := time.Since(start); took != 10*time.Second {
			t.Errorf("took %s, want the one hanging region's 10s", took)
		}
		want := map[string]audit.Reason{"r03": audit.Timeout, "r07": audit.ServiceError, "r11": audit.ServiceError, "r13": audit.DeniedBySCP}
		for i, e := range evaluations {
			if name := fmt.Sprintf("r%02d", i); e.Region != name {
				t.Fatalf("row %d is %q, want %q", i, e.Region, name)
			}
			reason := audit.ActiveRules
			if r, ok := want[e.Region]; ok {
				reason = r
			}
			if e.Reason != reason {
				t.Errorf("%s: %s (%s), want %s", e.Region, e.Reason, e.Detail, reason)
			}
		}
		if d := evaluations[3].Detail; d != "no complete answer within 10s" {
			t.Errorf("timeout says %q", d)
		}
		if d := evaluations[7].Detail; !strings.Contains(d, "a bug") || !strings.Contains(d, "report") {
			t.Errorf("panic says %q", d)
		}
	})
}

func TestTheRunsTimeRunsOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		o := options()
		o.Concurrency = 2
		evaluations := audit.Run(ctx, regions(6), inspectorFunc(func(ctx context.Context, c audit.Candidate) (audit.Snapshot, error) {
			if c.Region == "r00" {
				return passing()
			}
			return hang(ctx)
		}), o)
		if evaluations[0].Reason != audit.ActiveRules {
			t.Errorf("the region that answered is %s", evaluations[0].Reason)
		}
		for i, want := range map[int]string{1: "cut short: the run's time ran out", 5: "not asked: the run's time ran out before its turn"} {
			if e := evaluations[i]; e.Reason != audit.Timeout || e.Detail != want {
				t.Errorf("%s: %s %q, want TIMEOUT %q", e.Region, e.Reason, e.Detail, want)
			}
		}
	})
}

func TestConcurrencyIsBounded(t *testing.T) {
	for _, limit := range []int{1, 5, 64} {
		synctest.Test(t, func(t *testing.T) {
			var now, most atomic.Int64
			observed := 0
			o := options()
			o.Concurrency = limit
			o.Observe = func(done, total int) {
				observed++
				if done != observed || total != 20 {
					t.Errorf("observed %d of %d as number %d", done, total, observed)
				}
			}
			audit.Run(t.Context(), regions(20), inspectorFunc(func(context.Context, audit.Candidate) (audit.Snapshot, error) {
				n := now.Add(1)
				for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
				}
				time.Sleep(time.Second)
				now.Add(-1)
				return passing()
			}), o)
			if want := int64(min(limit, 20)); most.Load() != want {
				t.Errorf("limit %d: %d at once, want %d", limit, most.Load(), want)
			}
			if observed != 20 {
				t.Errorf("observed %d scopes", observed)
			}
		})
	}
}

func TestReport(t *testing.T) {
	report := audit.NewReport([]audit.Evaluation{
		{Account: "2", Region: "a", Status: audit.Compliant, APICalls: 1},
		{Account: "1", Region: "b", Status: audit.InsufficientData, APICalls: 3},
		{Account: "1", Region: "a", Status: audit.NotApplicable},
		{Account: "1", Region: "c", Status: audit.NonCompliant, APICalls: 2},
	}, audit.SourceEC2)
	var order []string
	for _, e := range report.Evaluations {
		order = append(order, e.Scope().String())
	}
	if want := []string{"1/a", "1/b", "1/c", "2/a"}; !reflect.DeepEqual(order, want) {
		t.Errorf("order %v, want %v", order, want)
	}
	if want := (audit.Coverage{Scopes: 4, Judged: 3, RegionSource: "ec2:DescribeRegions"}); report.Coverage != want {
		t.Errorf("coverage %+v, want %+v", report.Coverage, want)
	}
	if report.APICalls != 6 || len(report.Summary) != 4 || report.Summary[audit.NonCompliant] != 1 {
		t.Errorf("report %+v", report)
	}
	if empty := audit.NewReport(nil, ""); len(empty.Summary) != 4 {
		t.Error("the summary of nothing lacks a status")
	}
}

func TestSelect(t *testing.T) {
	list := audit.RegionList{Source: audit.SourceAccount, Regions: []audit.Region{
		{Name: "us-east-1", OptIn: audit.OptInEnabled}, {Name: "eu-west-1", OptIn: audit.OptInEnabled}, {Name: "af-south-1", OptIn: audit.OptInDisabled},
	}}
	for _, test := range []struct {
		name      string
		selection audit.Selection
		want      string // regions, with ! for excluded
		problem   string
	}{
		{"all", audit.Selection{}, "af-south-1 eu-west-1 us-east-1", ""},
		{"only", audit.Selection{Only: []string{"us-east-1", "eu-west-1", "us-east-1"}}, "eu-west-1 us-east-1", ""},
		{"excluded keeps its row", audit.Selection{Exclude: []string{"eu-west-1"}}, "af-south-1 eu-west-1! us-east-1", ""},
		{"a typo", audit.Selection{Only: []string{"eu-wset-1"}}, "", `regions: the account has no region "eu-wset-1"; did you mean "eu-west-1"?`},
		{"a typo in an exclusion", audit.Selection{Exclude: []string{"us-east-11"}}, "", `exclude-regions: the account has no region "us-east-11"; did you mean "us-east-1"?`},
		{"nothing near", audit.Selection{Only: []string{"mars-central-9"}}, "", `regions: the account has no region "mars-central-9"; account:ListRegions lists 3 regions, such as af-south-1, eu-west-1, us-east-1`},
		{"all mistakes at once", audit.Selection{Only: []string{"eu-west-2"}, Exclude: []string{"eu-west-3"}}, "", "regions: the account has no region \"eu-west-2\"; did you mean \"eu-west-1\"?\nexclude-regions: the account has no region \"eu-west-3\"; did you mean \"eu-west-1\"?"},
	} {
		t.Run(test.name, func(t *testing.T) {
			candidates, err := audit.Select(audit.Identity{Account: "123456789012", Partition: "aws"}, list, test.selection)
			var names []string
			for _, c := range candidates {
				name := c.Region
				if c.Excluded {
					name += "!"
				}
				names = append(names, name)
			}
			if got := strings.Join(names, " "); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
			problem := ""
			if err != nil {
				problem = err.Error()
			}
			if problem != test.problem {
				t.Errorf("error %q, want %q", problem, test.problem)
			}
		})
	}
}

func TestPartitionAndConsole(t *testing.T) {
	for _, test := range []struct{ region, partition, console string }{
		{"eu-west-1", "aws", "https://eu-west-1.console.aws.amazon.com/events/home?region=eu-west-1#/rules"},
		{"xx-new-7", "aws", "https://xx-new-7.console.aws.amazon.com/events/home?region=xx-new-7#/rules"},
		{"cn-north-1", "aws-cn", "https://console.amazonaws.cn/events/home?region=cn-north-1#/rules"},
		{"us-gov-west-1", "aws-us-gov", "https://console.amazonaws-us-gov.com/events/home?region=us-gov-west-1#/rules"},
		{"us-iso-east-1", "aws-iso", ""},
		{"us-isob-east-1", "aws-iso-b", ""},
		{"eu-isoe-west-1", "aws-iso-e", ""},
		{"us-isof-south-1", "aws-iso-f", ""},
		{"eusc-de-east-1", "aws-eusc", "https://console.amazonaws-eusc.eu/events/home?region=eusc-de-east-1#/rules"},
	} {
		if got := audit.PartitionOf(test.region); got != test.partition {
			t.Errorf("%s: partition %s, want %s", test.region, got, test.partition)
		}
		if got := (audit.Scope{Region: test.region}).ConsoleURL(); got != test.console {
			t.Errorf("%s: console %s, want %s", test.region, got, test.console)
		}
		if !audit.IsRegionName(test.region) {
			t.Errorf("%s is not taken for a region's name", test.region)
		}
	}
	for _, bad := range []string{"", "EU-WEST-1", "eu-west", "eu_west_1", "eu-west-1a", "eu-west-1 ", "eu-west-0", "../etc-1", "a-b-1"} {
		if audit.IsRegionName(bad) {
			t.Errorf("%q is taken for a region's name", bad)
		}
	}
}
