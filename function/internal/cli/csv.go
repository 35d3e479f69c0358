package cli

import (
	"encoding/csv"
	"strconv"
	"strings"

	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/record"
)

// renderCSV has one line an evaluation, in the record's order, with the run on each line so that files of many runs can
// be put together.
func renderCSV(r record.Record) (string, error) {
	var b strings.Builder
	w := csv.NewWriter(&b)
	w.Write([]string{"account", "region", "status", "reason", "detail", "buses", "rules", "active", "managed", "complete", "examples",
		"apiCalls", "durationMs", "consoleUrl", "runId", "finishedAt"})
	for _, e := range r.Evaluations {
		w.Write([]string{
			e.Account, e.Region, string(e.Status), string(e.Reason), cell(e.Detail), strconv.Itoa(e.Evidence.Buses),
			strconv.Itoa(e.Evidence.Rules), strconv.Itoa(e.Evidence.Active), strconv.Itoa(e.Evidence.Managed),
			strconv.FormatBool(e.Evidence.Complete), cell(strings.Join(e.Evidence.Examples, " ")), strconv.Itoa(e.APICalls),
			strconv.FormatInt(e.DurationMS, 10), e.ConsoleURL, r.RunID, r.FinishedAt.Format("2006-01-02T15:04:05Z07:00"),
		})
	}
	w.Flush()
	return b.String(), w.Error()
}

// cell keeps a spreadsheet from taking foreign text, such as a rule named "-1+1", for a formula.
func cell(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r", rune(s[0])) {
		return "'" + s
	}
	return s
}
