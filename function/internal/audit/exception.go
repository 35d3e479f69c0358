package audit

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"time"
)

// Exception takes scopes out of the audit, and out of remediation, for a reason, at somebody's word, until a day.
type Exception struct {
	Account string // twelve digits; * matches any digits
	Region  string // a region's name; * matches within it
	Reason  string
	Owner   string
	Expires time.Time // the last day on which it counts, at its end in UTC
}

const day = "2006-01-02"

// ExceptionError names every mistake of a list of exceptions.
type ExceptionError struct{ Problems []string }

func (e *ExceptionError) Error() string { return strings.Join(e.Problems, "\n") }

// ParseExceptions reads a JSON list of exceptions. It returns the entries that are whole together with all that is wrong
// with the others, each with its place, so that the caller can refuse the list or do without them.
func ParseExceptions(data []byte) ([]Exception, []string) {
	var entries []json.RawMessage
	d := json.NewDecoder(bytes.NewReader(data))
	if err := d.Decode(&entries); err != nil || entries == nil {
		return nil, []string{`want a JSON list such as [{"region": "ap-east-2", "reason": "…", "owner": "…", "expires": "2027-03-31"}]` + because(err)}
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, []string{"something follows the closing bracket of the list"}
	}
	var exceptions []Exception
	var problems []string
	for i, raw := range entries {
		e, wrong := parseException(raw)
		if len(wrong) == 0 {
			exceptions = append(exceptions, e)
		}
		for _, w := range wrong {
			problems = append(problems, fmt.Sprintf("[%d]%s", i, w))
		}
	}
	return exceptions, problems
}

func because(err error) string {
	if err == nil {
		return ""
	}
	return ": " + err.Error()
}

var exceptionKeys = []string{"account", "region", "reason", "owner", "expires"}

// parseException reads one entry. What is wrong continues the entry's place: ".owner: is missing".
func parseException(raw json.RawMessage) (Exception, []string) {
	var fields map[string]json.RawMessage
	if json.Unmarshal(raw, &fields) != nil || fields == nil {
		return Exception{}, []string{": want an object"}
	}
	if key := repeated(raw); key != "" { // the first of two would be lost without a word
		return Exception{}, []string{"." + key + ": comes twice"}
	}
	var problems []string
	bad := func(key, format string, args ...any) {
		problems = append(problems, "."+key+": "+fmt.Sprintf(format, args...))
	}
	values := map[string]string{"account": "*"}
	for key, raw := range fields {
		var text *string
		switch {
		case !slices.Contains(exceptionKeys, key):
			problem := "unknown key, known are " + strings.Join(exceptionKeys, ", ")
			if guess := Nearest(strings.ToLower(key), exceptionKeys); guess != "" {
				problem = fmt.Sprintf("unknown key, did you mean %q?", guess)
			}
			bad(key, "%s", problem)
		case json.Unmarshal(raw, &text) != nil || text == nil:
			bad(key, "want a string, got %.60s", raw)
		case len(*text) > maxText:
			bad(key, "has %d characters, at most %d will do", len(*text), maxText)
		default:
			values[key] = oneLine(*text)
		}
	}
	for _, key := range exceptionKeys {
		if _, given := fields[key]; values[key] == "" && (given || key != "account") && !slices.ContainsFunc(problems, func(p string) bool { return strings.HasPrefix(p, "."+key+":") }) {
			bad(key, "is missing or empty")
		}
	}
	only := func(text, marks string, letters bool) bool {
		return !strings.ContainsFunc(text, func(c rune) bool {
			return !(c >= '0' && c <= '9' || letters && c >= 'a' && c <= 'z' || strings.ContainsRune(marks, c))
		})
	}
	if a := values["account"]; a != "" && (!only(a, "*", false) || len(a) > 12 || !strings.Contains(a, "*") && len(a) != 12) {
		bad("account", "%q is neither twelve digits nor a pattern with *", a)
	}
	if r := values["region"]; r != "" && (!only(r, "*-", true) || !strings.Contains(r, "*") && !IsRegionName(r)) {
		bad("region", "%q is neither a region's name, such as ap-east-2, nor a pattern with *", r)
	}
	e := Exception{Account: values["account"], Region: values["region"], Reason: values["reason"], Owner: values["owner"]}
	if text := values["expires"]; text != "" {
		date, err := time.Parse(day, text)
		if err != nil {
			bad("expires", "%q is not a day, such as 2027-03-31", text)
		}
		e.Expires = date.AddDate(0, 0, 1)
	}
	slices.Sort(problems)
	return e, problems
}

// maxText is the longest text of an entry: it is repeated in reports and messages.
const maxText = 300

// repeated returns a key that a flat object has twice.
func repeated(raw json.RawMessage) string {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.Token() // the brace
	seen := map[string]bool{}
	for d.More() {
		key, err := d.Token()
		text, ok := key.(string)
		var value json.RawMessage
		if err != nil || !ok || d.Decode(&value) != nil {
			return ""
		}
		if seen[text] {
			return text
		}
		seen[text] = true
	}
	return ""
}

// oneLine keeps what somebody wrote from forging a line of a report.
func oneLine(s string) string {
	return strings.Join(strings.Fields(strings.Map(func(c rune) rune {
		if c < ' ' || c == 0x7f || c >= 0x80 && c < 0xa0 || c == 0x2028 || c == 0x2029 {
			return ' '
		}
		return c
	}, s)), " ")
}

// String names the exception for people: "eu-* of account 123456789012 (owner: …)".
func (e Exception) String() string {
	where := e.Region
	if e.Account != "*" {
		where += " of account " + e.Account
	}
	return fmt.Sprintf("%s (owner: %s)", where, e.Owner)
}

// LastDay is the last day on which the exception counts.
func (e Exception) LastDay() string { return e.Expires.AddDate(0, 0, -1).Format(day) }

// Live reports whether the exception still counts.
func (e Exception) Live(now time.Time) bool { return now.Before(e.Expires) }

// Covers reports whether the exception is about the scope, live or not.
func (e Exception) Covers(s Scope) bool {
	return wildcard(e.Account, s.Account) && wildcard(e.Region, s.Region)
}

// wildcard matches a whole name against a pattern in which * stands for any characters; neither has a slash, nor anything
// else that path.Match would take for a sign.
func wildcard(pattern, name string) bool {
	ok, err := path.Match(pattern, name)
	return ok && err == nil
}

// warnBefore is how long before its end an exception is named.
const warnBefore = 14 * 24 * time.Hour

// Except marks the candidates that a live exception covers. It returns what the list's owners ought to hear: exceptions
// that are over, that soon will be, and that cover nothing.
func Except(candidates []Candidate, regions []Region, exceptions []Exception, now time.Time) (notices []string) {
	for _, e := range exceptions {
		switch {
		case !e.Live(now):
			notices = append(notices, fmt.Sprintf("the exception for %s ended with %s and counts no more: renew it or take it out", e, e.LastDay()))
		case !e.Live(now.Add(warnBefore)):
			notices = append(notices, fmt.Sprintf("the exception for %s ends with %s: renew it, or see to the region", e, e.LastDay()))
		}
		if !slices.ContainsFunc(regions, func(r Region) bool { return wildcard(e.Region, r.Name) }) {
			notices = append(notices, fmt.Sprintf("the exception for %s covers no region that the account has", e))
		}
		if !e.Live(now) {
			continue
		}
		for i, c := range candidates {
			if c.Exemption == "" && e.Covers(c.Scope) {
				candidates[i].Exemption = fmt.Sprintf("until %s: %s (owner: %s)", e.LastDay(), e.Reason, e.Owner)
			}
		}
	}
	return notices
}
