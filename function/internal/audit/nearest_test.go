package audit_test

import (
	"testing"

	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/audit"
)

func TestNearest(t *testing.T) {
	names := []string{"audit", "demo", "simulate", "eu-west-1", "eu-west-2", ""}
	for word, want := range map[string]string{
		"adit": "audit", "audti": "audit", "dem": "demo", "simulator": "simulate", "eu-wset-2": "eu-west-2", "eu-west-9": "eu-west-1",
		"xyzzy": "", "something else": "",
	} {
		if got := audit.Nearest(word, names[:5]); got != want {
			t.Errorf("%q: got %q, want %q", word, got, want)
		}
	}
	if got := audit.Nearest("a", nil); got != "" {
		t.Errorf("got %q from nothing", got)
	}
}
