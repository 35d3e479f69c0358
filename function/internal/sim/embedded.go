package sim

import (
	"embed"
	"fmt"
	"path"
	"strings"
)

//go:embed scenarios/*.json
var embedded embed.FS

// Names lists the embedded scenarios, sorted.
func Names() []string {
	entries, err := embedded.ReadDir("scenarios")
	if err != nil {
		return nil
	}
	var names []string
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), path.Ext(e.Name())))
	}
	return names
}

// Load reads an embedded scenario. An unknown name's error lists the known ones.
func Load(name string) (Scenario, error) {
	data, err := embedded.ReadFile("scenarios/" + name + ".json")
	if err != nil {
		return Scenario{}, fmt.Errorf("no scenario is named %q; known are %s", name, strings.Join(Names(), ", "))
	}
	s, err := Parse(data)
	if err != nil {
		return Scenario{}, fmt.Errorf("load scenario %s: %w", name, err)
	}
	return s, nil
}
