package sim

import (
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
)

var ratePattern = regexp.MustCompile(`^rate\(([1-9][0-9]{0,8}) (minute|hour|day)(s?)\)$`)

// validSchedule says whether EventBridge takes the expression. Singular units
// go with 1 and plural ones with everything else; a cron has six fields and
// exactly one question mark, in day-of-month or in day-of-week.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-scheduled-rule-pattern.html
func validSchedule(expression string) bool {
	if m := ratePattern.FindStringSubmatch(expression); m != nil {
		return (m[1] == "1") == (m[3] == "")
	}
	inner, ok := strings.CutPrefix(expression, "cron(")
	if !ok || !strings.HasSuffix(inner, ")") {
		return false
	}
	fields := strings.Fields(strings.TrimSuffix(inner, ")"))
	if len(fields) != len(cronFields) {
		return false
	}
	for i, f := range cronFields {
		if !f.valid(fields[i]) {
			return false
		}
	}
	return (fields[2] == "?") != (fields[4] == "?")
}

type cronField struct {
	low, high int
	names     []string // names of low, low+1, …
	question  bool     // may be a question mark
	special   *regexp.Regexp
}

var cronFields = []cronField{
	{low: 0, high: 59},
	{low: 0, high: 23},
	{low: 1, high: 31, question: true, special: regexp.MustCompile(`^(L|LW|L-[1-9]|L-[12][0-9]|L-30|([1-9]|[12][0-9]|3[01])W)$`)},
	{low: 1, high: 12, names: strings.Fields("JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC")},
	{low: 1, high: 7, names: strings.Fields("SUN MON TUE WED THU FRI SAT"), question: true,
		special: regexp.MustCompile(`^(L|([1-7]|SUN|MON|TUE|WED|THU|FRI|SAT)(L|#[1-5]))$`)},
	{low: 1970, high: 2199},
}

func (f cronField) valid(s string) bool {
	if s == "?" {
		return f.question
	}
	for item := range strings.SplitSeq(s, ",") {
		if !f.item(item) {
			return false
		}
	}
	return true
}

func (f cronField) item(s string) bool {
	if f.special != nil && f.special.MatchString(s) {
		return true
	}
	span, step, stepped := strings.Cut(s, "/")
	if stepped {
		if n, err := strconv.Atoi(step); err != nil || n < 1 || n > f.high {
			return false
		}
	}
	if span == "*" {
		return true
	}
	from, to, ranged := strings.Cut(span, "-")
	return f.number(from) && (!ranged || f.number(to))
}

func (f cronField) number(s string) bool {
	for _, name := range f.names {
		if strings.EqualFold(s, name) {
			return true
		}
	}
	n, err := strconv.Atoi(s)
	return err == nil && n >= f.low && n <= f.high && s[0] != '+' && s[0] != '-'
}

// patternFault says what EventBridge finds wrong with an event pattern that is
// a JSON object, or "": each field is an object, or a list that is not empty.
func patternFault(pattern string) string {
	var fields map[string]any
	if json.Unmarshal([]byte(pattern), &fields) != nil {
		return "Filter is not an object"
	}
	var check func(fields map[string]any) string
	check = func(fields map[string]any) string {
		for name, value := range fields {
			switch value := value.(type) {
			case map[string]any:
				if len(value) == 0 {
					return "Empty objects are not allowed"
				}
				if why := check(value); why != "" {
					return why
				}
			case []any:
				if len(value) == 0 {
					return "Empty arrays are not allowed"
				}
			default:
				return `"` + name + `" must be an object or an array`
			}
		}
		return ""
	}
	return check(fields)
}
