package cli

import (
	"encoding/json"

	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/record"
)

// renderJSON is the Record itself.
func renderJSON(r record.Record) (string, error) {
	data, err := json.MarshalIndent(r, "", "  ")
	return string(data) + "\n", err
}
