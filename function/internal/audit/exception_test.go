package audit_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/audit"
)

func TestExceptions(t *testing.T) {
	exceptions, problems := audit.ParseExceptions([]byte(`[
		{"region": "ap-east-2", "reason": "not in use\nsince 2026", "owner": "cloud@example.com", "expires": "2026-12-31"},
		{"account": "1234*", "region": "eu-*-1", "reason": "pilot", "owner": "eu", "expires": "2026-11-30"},
		{"account": "*", "region": "sa-east-1", "reason": "over", "owner": "sa", "expires": "2026-11-23"},
		{"account": "111122223333", "region": "*", "reason": "another account", "owner": "x", "expires": "2027-01-01"},
		{"region": "xx-nowhere-9", "reason": "a typo", "owner": "y", "expires": "2027-01-01"}]`))
	if problems != nil || len(exceptions) != 5 {
		t.Fatalf("%q %+v", problems, exceptions)
	}
	regions := []audit.Region{{Name: "ap-east-2"}, {Name: "eu-west-1"}, {Name: "eu-west-2"}, {Name: "sa-east-1"}}
	candidates := func() []audit.Candidate {
		var all []audit.Candidate
		for _, r := range regions {
			all = append(all, audit.Candidate{Scope: audit.Scope{Account: "123456789012", Region: r.Name}})
		}
		return all
	}
	for now, want := range map[string]map[string]string{
		"2026-11-24T00:00:00Z": {"ap-east-2": "until 2026-12-31: not in use since 2026 (owner: cloud@example.com)", "eu-west-1": "until 2026-11-30: pilot (owner: eu)"},
		"2026-11-23T23:59:59Z": {"ap-east-2": "until 2026-12-31", "eu-west-1": "until", "sa-east-1": "until 2026-11-23: over (owner: sa)"},
		"2026-11-30T23:59:59Z": {"ap-east-2": "until", "eu-west-1": "until"},
		"2026-12-01T00:00:00Z": {"ap-east-2": "until"},
	} {
		at, err := time.Parse(time.RFC3339, now)
		if err != nil {
			t.Fatal(err)
		}
		got := candidates()
		audit.Except(got, regions, exceptions, at)
		for _, c := range got {
			if !strings.HasPrefix(c.Exemption, want[c.Region]) || (c.Exemption == "") != (want[c.Region] == "") {
				t.Errorf("%s: %s is %q, want %q", now, c.Region, c.Exemption, want[c.Region])
			}
		}
	}
	at := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	notices := audit.Except(candidates(), regions, exceptions, at)
	for _, want := range []string{"eu-*-1 of account 1234* (owner: eu) ends with 2026-11-30: renew it", "sa-east-1 (owner: sa) ended with 2026-11-23 and counts no more", "xx-nowhere-9 (owner: y) covers no region"} {
		if !slices.ContainsFunc(notices, func(n string) bool { return strings.Contains(n, want) }) {
			t.Errorf("nothing says %q: %q", want, notices)
		}
	}
	if len(notices) != 3 {
		t.Errorf("%d notices: %q", len(notices), notices)
	}
}

// Every mistake of a list is named at once, with its place, and the whole entries are still there.
func TestMistakesInExceptions(t *testing.T) {
	exceptions, problems := audit.ParseExceptions([]byte(`[
		{"region": "ap-east-2", "reason": "r", "owner": "o", "expires": "2026-12-31"},
		{"regoin": "ap-east-2", "reason": "", "owner": 5},
		"x",
		{"account": "12345", "region": "EU-WEST-1", "reason": "r", "owner": "o", "expires": "31.12.2026"}]`))
	want := []string{`[1].expires: is missing or empty`, `[1].owner: want a string, got 5`, `[1].reason: is missing or empty`, `[1].region: is missing or empty`,
		`[1].regoin: unknown key, did you mean "region"?`, `[2]: want an object`, `[3].account: "12345" is neither twelve digits nor a pattern with *`,
		`[3].expires: "31.12.2026" is not a day, such as 2027-03-31`, `[3].region: "EU-WEST-1" is neither a region's name, such as ap-east-2, nor a pattern with *`}
	if !slices.Equal(problems, want) || len(exceptions) != 1 {
		t.Errorf("got\n%s\nwant\n%s\n%+v", strings.Join(problems, "\n"), strings.Join(want, "\n"), exceptions)
	}
	for text, says := range map[string]string{
		`[{"region": "eu-west-1", "region": "*", "reason": "r", "owner": "o", "expires": "2026-12-31"}]`:                 "[0].region: comes twice",
		`[{"region": "eu-west-1", "reason": "\u0001", "owner": "o", "expires": "2026-12-31"}]`:                           "[0].reason: is missing or empty",
		`[{"region": "eu-west-1", "reason": "` + strings.Repeat("x", 301) + `", "owner": "o", "expires": "2026-12-31"}]`: "[0].reason: has 301 characters",
	} {
		if exceptions, problems := audit.ParseExceptions([]byte(text)); len(exceptions) != 0 || len(problems) != 1 || !strings.HasPrefix(problems[0], says) {
			t.Errorf("%s: %q, want %q", text, problems, says)
		}
	}
	for _, text := range []string{"", "{}", "null", "[", `[] []`, `"x"`} {
		if exceptions, problems := audit.ParseExceptions([]byte(text)); len(exceptions) != 0 || len(problems) != 1 {
			t.Errorf("%q: %v %q", text, exceptions, problems)
		}
	}
	if exceptions, problems := audit.ParseExceptions([]byte("[]")); exceptions != nil || problems != nil {
		t.Errorf("an empty list: %v %q", exceptions, problems)
	}
}

func FuzzExceptions(f *testing.F) {
	f.Add(`[{"region": "ap-east-*", "reason": "r", "owner": "o", "expires": "2026-12-31"}]`)
	f.Add(`[{"account": "*1*2*", "region": "***", "reason": "\u2028", "owner": "\n", "expires": "9999-12-31"}]`)
	f.Fuzz(func(t *testing.T, text string) {
		exceptions, problems := audit.ParseExceptions([]byte(text))
		for _, e := range exceptions {
			if e.Reason == "" || e.Owner == "" || e.Expires.IsZero() || strings.ContainsAny(e.String(), "\n\r\x1b") {
				t.Errorf("taken: %+v", e)
			}
			e.Covers(audit.Scope{Account: "123456789012", Region: "eu-west-1"})
		}
		if len(exceptions) == 0 && len(problems) == 0 && strings.TrimSpace(text) != "[]" && !strings.HasPrefix(strings.TrimSpace(text), "[") {
			t.Errorf("%q is nothing and no mistake", text)
		}
	})
}
