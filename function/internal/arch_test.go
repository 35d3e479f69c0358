package internal_test

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/eventbridge-auditor/eventbridge-auditor/"

// law says what each room may import beside the standard library: rooms by name, foreign modules by prefix.
//
//	function (Lambda main)  -> cloud, reconcile, settings, trigger
//	cmd -> cli              -> cloud, reconcile, settings, trigger, sim
//	reconcile               -> trigger, audit, remediation, notify, record
//	settings                -> trigger, audit, remediation, notify
//	cloud                   -> audit, remediation, history, notify + the SDK
//	notify                  -> audit, remediation, record
//	record                  -> audit, remediation
//	remediation, history, trigger -> audit
var law = map[string]struct {
	rooms   []string
	foreign []string
}{
	"offline":     {},
	"sim":         {},
	"audit":       {},
	"history":     {rooms: []string{"audit"}},
	"record":      {rooms: []string{"audit", "history", "remediation"}},
	"remediation": {rooms: []string{"audit"}},
	"trigger":     {rooms: []string{"audit"}},
	"notify":      {rooms: []string{"audit", "history", "record", "remediation"}},
	"settings":    {rooms: []string{"audit", "notify", "remediation", "trigger"}},
	"reconcile":   {rooms: []string{"audit", "history", "notify", "record", "remediation", "trigger"}},
	"cloud":       {rooms: []string{"audit", "history", "notify", "remediation"}, foreign: []string{"github.com/aws/aws-sdk-go-v2", "github.com/aws/smithy-go"}},
	"cli": {
		rooms:   []string{"audit", "cloud", "history", "notify", "reconcile", "record", "remediation", "settings", "sim", "trigger"},
		foreign: []string{"github.com/jedib0t/go-pretty/v6", "golang.org/x/term"},
	},
	"function": {
		rooms:   []string{"audit", "cloud", "reconcile", "settings", "trigger"},
		foreign: []string{"github.com/aws/aws-lambda-go"},
	},
	"eventbridge-auditor": {rooms: []string{"cli"}},
}

// notInLambda is what must not get into the function's binary, by whatever way: a simulated account, the tests' guard,
// the terminal, and the reflection of the templates, which switches off the linker's dead code removal.
var notInLambda = []string{
	module + "function/internal/sim", module + "function/internal/cli", module + "function/internal/offline",
	"github.com/jedib0t", "golang.org/x/term", "text/template", "html/template", "testing", "net/rpc",
}

type goPackage struct {
	ImportPath string
	Standard   bool
	Imports    []string
	Deps       []string
}

func list(t *testing.T, args ...string) []goPackage {
	t.Helper()
	// The go command lists packages out of this test's sight, and would take an earlier result for this one's if the test
	// did not look at the files itself.
	if err := filepath.WalkDir("..", func(path string, _ fs.DirEntry, err error) error {
		if err == nil && filepath.Ext(path) == ".go" {
			_, err = os.ReadFile(path)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("go", append([]string{"list", "-json=ImportPath,Standard,Imports,Deps", "-tags", "lambda.norpc"}, args...)...).Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var packages []goPackage
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p goPackage
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return packages
		} else if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
}

func TestImportLaw(t *testing.T) {
	packages := list(t, module+"function/...")
	if len(packages) != len(law)+1 { // and this one, which is tests only
		t.Errorf("%d packages, the law knows %d", len(packages)-1, len(law))
	}
	for _, p := range packages {
		name := p.ImportPath[strings.LastIndexByte(p.ImportPath, '/')+1:]
		if name == "internal" {
			continue
		}
		rule, ok := law[name]
		if !ok {
			t.Errorf("%s is a room that the law does not know", p.ImportPath)
			continue
		}
		for _, imported := range p.Imports {
			first, _, _ := strings.Cut(imported, "/")
			if room, own := strings.CutPrefix(imported, module+"function/internal/"); own {
				if !slices.Contains(rule.rooms, room) {
					t.Errorf("%s may not import %s", name, room)
				}
			} else if strings.Contains(first, ".") && !slices.ContainsFunc(rule.foreign, func(prefix string) bool { return strings.HasPrefix(imported, prefix) }) {
				t.Errorf("%s may not import %s", name, imported)
			}
		}
	}
}

func TestLambdaBinaryStaysLean(t *testing.T) {
	deps := list(t, module+"function")[0].Deps
	if len(deps) < 50 {
		t.Fatalf("only %d dependencies: not the function", len(deps))
	}
	for _, dep := range deps {
		for _, banned := range notInLambda {
			if dep == banned || strings.HasPrefix(dep, banned+"/") {
				t.Errorf("the Lambda binary contains %s", dep)
			}
		}
	}
}
