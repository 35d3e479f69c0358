package notify

import (
	"fmt"
	"slices"
	"strings"

	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/audit"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/history"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/record"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/remediation"
)

const (
	columns   = 78     // of a plain-text mail
	textBytes = 20_000 // of the readable text, which the message carries twice
)

// Headline is the first line of every text: what was covered, then what was found.
func Headline(r record.Record) string {
	s := r.Summary
	parts := []string{count(s[audit.NonCompliant], "fails", "fail")}
	if n := s[audit.InsufficientData]; n > 0 {
		parts = append(parts, fmt.Sprintf("%d could not be judged", n))
	}
	parts = append(parts, count(s[audit.Compliant], "passes", "pass"))
	if n := s[audit.NotApplicable]; n > 0 {
		parts = append(parts, fmt.Sprintf("%d not applicable", n))
	}
	return fmt.Sprintf("Judged %d of %s of %s: %s.", r.Coverage.Judged, count(r.Coverage.Scopes, "region", "regions"), who(r), strings.Join(parts, ", "))
}

// ChangeHeadline says in a line what a plan would do, or what became of it.
func ChangeHeadline(r remediation.Report) string {
	changing := r.Count(remediation.Planned)
	var parts []string
	add := func(n int, format string) {
		if n > 0 {
			parts = append(parts, fmt.Sprintf(format, count(n, "region", "regions")))
		}
	}
	switch r.Mode {
	case remediation.ModePlan:
		add(changing, "%s would be changed")
	case remediation.ModeUndo:
		add(changing, "%s would be undone")
		add(r.Count(remediation.Undone), "%s undone")
	default:
		add(changing, "%s would be changed")
		add(r.Count(remediation.Remediated), "%s remediated")
	}
	add(r.Count(remediation.Failed), "%s failed")
	add(r.Count(remediation.Skipped), "%s left alone")
	if len(parts) == 0 {
		parts = []string{"nothing to do"}
	}
	return map[remediation.Mode]string{remediation.ModePlan: "Plan", remediation.ModeApply: "Remediation", remediation.ModeUndo: "Undo"}[r.Mode] +
		": " + strings.Join(parts, ", ") + "."
}

// who names the audited account, or says how many there are.
func who(r record.Record) string {
	accounts := accounts(r)
	if len(accounts) == 1 {
		return "account " + accounts[0]
	}
	return count(len(accounts), "account", "accounts")
}

func accounts(r record.Record) []string {
	var ids []string
	for _, e := range r.Evaluations { // sorted by account
		if len(ids) == 0 || ids[len(ids)-1] != e.Account {
			ids = append(ids, e.Account)
		}
	}
	return ids
}

// labeler names a scope as briefly as the record allows.
func labeler(r record.Record) func(audit.Scope) string {
	if len(accounts(r)) == 1 {
		return func(s audit.Scope) string { return s.Region }
	}
	return audit.Scope.String
}

// text is the message for people: default and email.
func text(r record.Record) string {
	var b strings.Builder
	write := func(indent, s string) { b.WriteString(wrap(s, indent, indent)) }
	write("", Headline(r))
	if r.Remediation != nil {
		write("", ChangeHeadline(*r.Remediation))
	}
	b.WriteString("\n")
	write("", fmt.Sprintf("%s \"%s\" (risk: %s). A region passes when an EventBridge rule is active in it; without one, "+
		"nothing that happens there sets anything off.", r.Check.ID, r.Check.Title, strings.ToLower(r.Check.RiskLevel)))

	omitted, label := 0, labeler(r)
	rows := func(scopes []audit.Scope, say func(i int) string) {
		width := 0
		for _, s := range scopes {
			width = max(width, len(label(s)))
		}
		for i, s := range scopes {
			if omitted > 0 || b.Len() > textBytes {
				omitted++
				continue
			}
			name := label(s)
			b.WriteString(wrap(clean(say(i)), "  "+name+strings.Repeat(" ", width-len(name))+"  ", strings.Repeat(" ", width+4)))
		}
	}
	heading := func(title string, n int) {
		title = strings.ToUpper(title) + ": " + count(n, "region", "regions")
		fmt.Fprintf(&b, "\n%s\n%s\n", title, strings.Repeat("-", len(title)))
	}
	for _, g := range changeGroups(r) {
		heading(g.title, len(g.regions))
		rows(scopesOf(g.regions), func(i int) string { return DescribeChange(g.regions[i]) })
		b.WriteString(wrap(g.advice, "  > ", "    "))
	}
	for _, part := range parts(r) {
		if len(part.evaluations) == 0 {
			continue
		}
		heading(part.title, len(part.evaluations))
		if part.resolved {
			rows(scopesOf(part.evaluations), func(i int) string { return resolvedText(r, part.evaluations[i]) })
			continue
		}
		for i, g := range Groups(part.evaluations, part.status) {
			if i > 0 {
				b.WriteString("\n")
			}
			write("", fmt.Sprintf("%s (%s)", g.Title, g.Reason))
			rows(scopesOf(g.Evaluations), func(i int) string { return Describe(g.Evaluations[i]) + since(r, g.Evaluations[i]) })
			b.WriteString(wrap(g.Advice, "  > ", "    "))
			for _, c := range g.Commands {
				b.WriteString("    " + strings.ReplaceAll(c, "\n", "\n    ") + "\n")
			}
		}
	}
	if failing := failingOnes(r); len(failing) > 0 && b.Len() < textBytes {
		b.WriteString("\nTO ACCEPT A REGION AS IT IS\n---------------------------\n")
		write("", "Put its entry into the list of exceptions (Exceptions, --exceptions), with your reason and owner:")
		fitting := min(len(failing), max(1, (textBytes+5_000-b.Len())/140))
		b.WriteString("  [\n")
		for i, e := range failing[:fitting] {
			b.WriteString(exceptionFor(r, e, i == fitting-1))
		}
		b.WriteString("  ]\n")
		if left := len(failing) - fitting; left > 0 {
			write("", fmt.Sprintf("… and so for %s more.", count(left, "region", "regions")))
		}
	}
	if omitted > 0 {
		b.WriteString("\n")
		write("", fmt.Sprintf("%s did not fit this message. The run's record has all of them: see the function's result.",
			count(omitted, "more region", "more regions")))
	}
	if len(r.Warnings) > 0 {
		b.WriteString("\nWARNINGS\n--------\n")
		for _, w := range boundedWarnings(r.Warnings) {
			b.WriteString(wrap(clean(w), "  - ", "    "))
		}
	}
	b.WriteString("\n-- \n")
	write("", fmt.Sprintf("Run %s, %s, policy %s, region list from %s.",
		r.RunID, r.FinishedAt.Format("2006-01-02 15:04:05 UTC"), r.Policy, r.Coverage.RegionSource))
	if r.Auditor != "" {
		write("", "Sent by "+clean(r.Auditor)+".")
	}
	return b.String()
}

// sms is the message for phones, at most 140 ASCII characters.
func sms(r record.Record) string {
	s := fmt.Sprintf("%s: %d of %d regions fail, %d not judged, %s", r.Check.ID, r.Summary[audit.NonCompliant], r.Coverage.Scopes,
		r.Summary[audit.InsufficientData], who(r))
	failing, room := failingRegions(r), 140-len(s)-len(": ")
	names := ""
	for i, name := range failing {
		more := name
		if i > 0 {
			more = ", " + name
		}
		if len(names)+len(more) > room-len(" +34") {
			names += fmt.Sprintf(" +%d", len(failing)-i)
			break
		}
		names += more
	}
	if names != "" {
		s += ": " + names
	}
	return ascii(s, 140)
}

// subject is a mail's subject: ASCII, at most 99 characters, one line.
// https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
func subject(r record.Record, kind record.Kind) string {
	var s string
	switch kind {
	case record.Failing:
		if c := r.Changes; c != nil && len(c.Failing) > 0 {
			s = fmt.Sprintf("%s FAILING: %d new, %d of %s, %s", r.Check.ID, len(c.Failing), r.Summary[audit.NonCompliant], count(r.Coverage.Scopes, "region", "regions"), who(r))
			break
		}
		s = fmt.Sprintf("%s FAILING: %d of %s, %s", r.Check.ID, r.Summary[audit.NonCompliant], count(r.Coverage.Scopes, "region", "regions"), who(r))
	case record.Incomplete:
		s = fmt.Sprintf("%s INCOMPLETE: %d of %s not judged, %s", r.Check.ID, r.Summary[audit.InsufficientData], count(r.Coverage.Scopes, "region", "regions"), who(r))
	case record.Reminder:
		s = fmt.Sprintf("%s REMINDER: %d of %s still failing, %s", r.Check.ID, r.Summary[audit.NonCompliant], count(r.Coverage.Scopes, "region", "regions"), who(r))
	case record.Resolved:
		if c := r.Changes; c != nil && len(c.Resolved) > 0 {
			s = fmt.Sprintf("%s RESOLVED: %s, %d still failing, %s", r.Check.ID, count(len(c.Resolved), "region passes", "regions pass"), r.Summary[audit.NonCompliant], who(r))
			break
		}
		s = fmt.Sprintf("%s RESOLVED: %s remediated, %s", r.Check.ID, count(len(r.Changed(remediation.Remediated)), "region", "regions"), who(r))
	default:
		s = fmt.Sprintf("%s OK: no region fails, %d judged, %s", r.Check.ID, r.Coverage.Judged, who(r))
	}
	return ascii(s, 99)
}

// concernedRegions names the regions that a message is about, for subscriptions that filter: those that fail, and with earlier
// runs known also those that are resolved, or not judged any more.
func concernedRegions(r record.Record) []string {
	names := failingRegions(r)
	if c := r.Changes; c != nil {
		for _, list := range [][]history.Change{c.Unjudged, c.Resolved, c.Due} {
			for _, change := range list {
				names = append(names, change.Region)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// failingRegions names the regions with a failing scope, sorted, each once.
func failingRegions(r record.Record) []string {
	seen := map[string]bool{}
	names := []string{}
	for _, e := range r.Evaluations {
		if e.Status == audit.NonCompliant && !seen[e.Region] {
			seen[e.Region] = true
			names = append(names, e.Region)
		}
	}
	return names
}

// wrap breaks a line at columns characters; a word that is longer stands alone. first begins the first line, rest the
// others. The result ends with a line break.
func wrap(s, first, rest string) string {
	var b strings.Builder
	line, empty := first, true
	for _, word := range strings.Fields(s) {
		if !empty && len([]rune(line))+1+len([]rune(word)) > columns {
			b.WriteString(strings.TrimRight(line, " ") + "\n")
			line, empty = rest, true
		}
		if !empty {
			line += " "
		}
		line, empty = line+word, false
	}
	b.WriteString(strings.TrimRight(line, " ") + "\n")
	return b.String()
}

// clean takes the control characters and line ends out of foreign text.
func clean(s string) string {
	return strings.Join(strings.Fields(strings.Map(func(c rune) rune {
		switch {
		case c < ' ', c == 0x7f, c >= 0x80 && c < 0xa0, c == 0x2028, c == 0x2029,
			c >= 0x202a && c <= 0x202e, c >= 0x2066 && c <= 0x2069: // the last two turn the direction of writing
			return ' '
		}
		return c
	}, strings.ToValidUTF8(s, "?"))), " ")
}

// ascii makes one line of printable ASCII of at most n characters.
func ascii(s string, n int) string {
	s = strings.Map(func(c rune) rune {
		if c < ' ' || c > '~' {
			return '?'
		}
		return c
	}, s)
	if len(s) > n {
		s = s[:n-3] + "..."
	}
	return s
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
