package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/audit"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/sim"
)

func simulateCommand() command {
	return command{
		name: "simulate", summary: "serve the simulated AWS to the AWS CLI, the SDKs and sam local invoke",
		about: "Serves until it is interrupted, and logs every call to standard error. GET /_sim/calls lists the calls,\n" +
			"GET /_sim/messages what was published to SNS.",
		flags: []flagRow{
			{name: "listen", value: "HOST:PORT", help: "the address to listen on; port 0 picks a free one", defaultText: "127.0.0.1:4599", check: checkAddress},
			{name: "scenario", value: "NAME|FILE", help: "the account to simulate: " + strings.Join(sim.Names(), ", ") + ", or a JSON file", defaultText: "demo"},
			{name: "quiet", help: "do not log the calls", boolean: true, check: oneOf("true", "false")},
		},
		run: runSimulate,
	}
}

func checkAddress(v string) error {
	_, port, err := net.SplitHostPort(v)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return fmt.Errorf("want HOST:PORT, such as 127.0.0.1:4599, got %q", v)
	}
	return nil
}

func runSimulate(ctx context.Context, p *program, values flagValues) (int, error) {
	name, given := values["scenario"]
	if !given {
		name = "demo"
	}
	scenario, err := loadScenario(name)
	if err != nil {
		return 0, err
	}
	var o sim.Options
	if values["quiet"] != "true" {
		o.OnCall = p.logCall
	}
	world, err := sim.NewWithOptions(scenario, o)
	if err != nil {
		return 0, err
	}
	address := values["listen"]
	if _, given := values["listen"]; !given {
		address = "127.0.0.1:4599"
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return 0, fmt.Errorf("listen on %s: %w; choose another address with --listen, for instance 127.0.0.1:0 for any free port", address, err)
	}
	fmt.Fprintf(p.stderr, "The simulated AWS listens on http://%s\n\n"+
		"  export AWS_ENDPOINT_URL=http://%[1]s AWS_EC2_METADATA_DISABLED=true\n"+
		"  export AWS_ACCESS_KEY_ID=%[2]s AWS_SECRET_ACCESS_KEY=%[3]s\n"+
		"  export AWS_REGION=%[4]s AWS_DEFAULT_REGION=%[4]s\n"+
		"  aws events list-rules --region %[4]s\n"+
		"  %[5]s\n\n", listener.Addr(), exampleKeyID, exampleSecret, homeRegion(world), auditLine(scenario))
	server := &http.Server{Handler: world, ReadHeaderTimeout: 10 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	select {
	case err := <-served:
		return 0, fmt.Errorf("serve on %s: %w", address, err)
	case <-ctx.Done():
		server.Close() // hanging calls, which are part of some scenarios, would outlive a gentle shutdown
		if err := <-served; err != nil && !errors.Is(err, http.ErrServerClosed) {
			return 0, err
		}
		return exitClean, nil
	}
}

// homeRegion is a region that every account of the world's partition has.
func homeRegion(w *sim.World) string {
	for _, name := range w.Regions() {
		if w.OptIn(name) == sim.OptInEnabledByDefault {
			return name
		}
	}
	return "us-east-1"
}

func auditLine(s sim.Scenario) string {
	line := "eventbridge-auditor audit"
	if len(s.Topics) > 0 {
		line += " --topic-arn " + s.Topics[0]
	}
	return line
}

func (p *program) logCall(c sim.Call) {
	outcome := c.Code
	if outcome == "" {
		outcome = "ok"
	}
	if c.Fault != "" {
		outcome += " (fault: " + c.Fault + ")"
	}
	// One write a line: log lines of calls at once must not mix.
	fmt.Fprintf(p.stderr, "%s %-15s %s:%s %d %s\n", c.Time.Format("15:04:05.000"), c.Region, c.Service, c.Operation, c.Status, outcome)
}

// loadScenario takes the name of an embedded scenario or a file.
func loadScenario(name string) (sim.Scenario, error) {
	if !strings.ContainsAny(name, "./\\") {
		scenario, err := sim.Load(name)
		if err != nil {
			problem := "--scenario: " + err.Error()
			if guess := audit.Nearest(name, sim.Names()); guess != "" {
				problem += fmt.Sprintf("; did you mean %q?", guess)
			}
			return scenario, &flagError{[]string{problem}}
		}
		return scenario, nil
	}
	data, err := os.ReadFile(name)
	if err == nil {
		var scenario sim.Scenario
		if scenario, err = sim.Parse(data); err == nil {
			return scenario, nil
		}
		err = fmt.Errorf("%s: %w", name, err)
	}
	return sim.Scenario{}, &flagError{[]string{"--scenario: " + err.Error()}}
}
