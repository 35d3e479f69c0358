package remediation

import (
	"fmt"
	"strconv"
	"strings"
)

// CheckSchedule says what is wrong with a schedule expression, nil when nothing is. EventBridge would refuse it too, but only
// in the middle of a run.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-scheduled-rule-pattern.html
func CheckSchedule(expression string) error {
	kind, rest, _ := strings.Cut(expression, "(")
	inner, closed := strings.CutSuffix(rest, ")")
	switch {
	case !closed || kind != "rate" && kind != "cron":
		return fmt.Errorf("want rate(5 minutes) or cron(0 6 * * ? *), got %q", expression)
	case kind == "rate":
		return checkRate(inner)
	default:
		return checkCron(inner)
	}
}

func checkRate(inner string) error {
	value, unit, _ := strings.Cut(inner, " ")
	n, err := strconv.Atoi(value)
	if err != nil || n < 1 || strconv.Itoa(n) != value {
		return fmt.Errorf("rate: want a whole number of at least 1 and a unit, such as rate(5 minutes), got %q", inner)
	}
	singular := strings.TrimSuffix(unit, "s")
	if singular != "minute" && singular != "hour" && singular != "day" {
		return fmt.Errorf("rate: want minutes, hours or days, got %q", unit)
	}
	if want := singular + map[bool]string{false: "s"}[n == 1]; unit != want {
		return fmt.Errorf("rate: want rate(%d %s), got rate(%s): the unit is singular for 1 alone", n, want, inner)
	}
	return nil
}

// cron describes the six fields of a cron expression, in their order.
var cron = []struct {
	name      string
	low, high int
	words     string // the names of low, low+1 and so on
}{
	{"minutes", 0, 59, ""},
	{"hours", 0, 23, ""},
	{"day-of-month", 1, 31, ""},
	{"month", 1, 12, "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC"},
	{"day-of-week", 1, 7, "SUN MON TUE WED THU FRI SAT"},
	{"year", 1970, 2199, ""},
}

const (
	dayOfMonth = 2
	dayOfWeek  = 4
)

func checkCron(inner string) error {
	fields := strings.Split(inner, " ")
	if len(fields) != len(cron) {
		return fmt.Errorf("cron: want six fields (minutes hours day-of-month month day-of-week year), got %d in %q", len(fields), inner)
	}
	for i, text := range fields {
		if text == "?" && (i == dayOfMonth || i == dayOfWeek) {
			continue
		}
		for part := range strings.SplitSeq(text, ",") {
			if !cronPart(i, part) {
				return fmt.Errorf("cron: %q is no value for %s (%d-%d), in %q", part, cron[i].name, cron[i].low, cron[i].high, inner)
			}
		}
	}
	if (fields[dayOfMonth] == "?") == (fields[dayOfWeek] == "?") {
		return fmt.Errorf("cron: want exactly one ? in day-of-month or day-of-week, in %q", inner)
	}
	return nil
}

// cronPart reports whether a part of a field's list is one that the field takes: * or a value or a range, each perhaps with a
// step, or one of the special forms of the two day fields.
func cronPart(field int, part string) bool {
	value := func(text string) bool {
		_, ok := cronValue(field, text)
		return ok
	}
	switch field {
	case dayOfMonth: // the last day, the last weekday, days before the last, the weekday nearest to a day
		day, nearest := strings.CutSuffix(part, "W")
		before, fromEnd := strings.CutPrefix(part, "L-")
		if part == "L" || part == "LW" || nearest && value(day) || fromEnd && value(before) {
			return true
		}
	case dayOfWeek: // the last day of the week, the last such day of the month, the n-th such day of the month
		day, last := strings.CutSuffix(part, "L")
		which, nth, numbered := strings.Cut(part, "#")
		if last && (day == "" || value(day)) || numbered && value(which) && len(nth) == 1 && nth >= "1" && nth <= "5" {
			return true
		}
	}
	span, step, stepped := strings.Cut(part, "/")
	if n, err := strconv.Atoi(step); stepped && (err != nil || n < 1 || n > cron[field].high || step[0] == '+') {
		return false
	}
	if span == "*" {
		return true
	}
	from, to, ranged := strings.Cut(span, "-")
	return value(from) && (!ranged || value(to))
}

func cronValue(field int, text string) (int, bool) {
	f := cron[field]
	for i, word := range strings.Fields(f.words) {
		if strings.EqualFold(text, word) {
			return f.low + i, true
		}
	}
	n, err := strconv.Atoi(text)
	return n, err == nil && n >= f.low && n <= f.high && text[0] != '+' && text[0] != '-'
}
