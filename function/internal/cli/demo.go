package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/audit"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/cloud"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/notify"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/reconcile"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/settings"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/sim"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/trigger"
)

// AWS's own example credentials, which open nothing.
const (
	exampleKeyID  = "AKIAIOSFODNN7EXAMPLE"
	exampleSecret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
	exampleTopic  = "arn:aws:sns:us-east-1:123456789012:eventbridge-auditor"
)

func demoCommand() command {
	return command{
		name: "demo", summary: "the whole story on a simulated AWS: no account, no network",
		about: "Audits an embedded, simulated account of 34 regions with the code that audits a real one, and\n" +
			"shows the report and the alert as mail and as Slack would show it. Reads no setting and sends nothing.",
		run: runDemo,
	}
}

func runDemo(ctx context.Context, p *program, _ flagValues) (int, error) {
	scenario, err := sim.Load("demo")
	if err != nil {
		return 0, err
	}
	world, err := sim.New(scenario)
	if err != nil {
		return 0, err
	}
	s, err := settings.Read() // the defaults
	if err != nil {
		return 0, err
	}
	s.Audit.RegionTimeout = 2 * time.Second // one region of the demo hangs: do not keep the audience waiting
	s.Notify.TopicARN = exampleTopic
	session := cloud.OpenStatic(cloud.Static{
		HTTPClient: world.Client(), Region: "us-east-1", AccessKeyID: exampleKeyID, SecretAccessKey: exampleSecret,
		MaxBackoff: 200 * time.Millisecond, Timeout: s.Audit.RegionTimeout,
	})
	o := p.options(s, false)
	progress := p.progress()
	o.Audit.Observe = progress.show
	r, err := reconcile.Run(ctx, session, o, trigger.Trigger{Kind: trigger.CLI, ID: o.RunID})
	progress.clear()
	if err != nil {
		return 0, err
	}

	l := p.lookOf(p.stdout)
	var b strings.Builder
	title := func(format string, args ...any) {
		b.WriteString(l.paint("1;7", " "+fmt.Sprintf(format, args...)+" ") + "\n\n")
	}
	title("1. The audit: %d regions, %d requests, %.1f s", r.Coverage.Scopes, r.APICalls, r.FinishedAt.Sub(r.StartedAt).Seconds())
	b.WriteString(l.paint("1", l.fill(notify.Headline(r), "")) + "\n\n" + evaluationTable(r, l) + "\n")
	for _, message := range world.Published() {
		var texts map[string]string
		if err := json.Unmarshal([]byte(message.Message), &texts); err != nil {
			return 0, fmt.Errorf("read the published message: %w", err)
		}
		title("2. The alert as mail")
		b.WriteString(frame("Subject: "+message.Subject+"\n\n"+texts["email"], l))
		b.WriteString("\n")
		title("3. The alert in Slack, through Amazon Q Developer")
		chat, err := showChat(texts["https"], l)
		if err != nil {
			return 0, err
		}
		b.WriteString(chat + "\n")
	}
	throttled := 0
	for _, c := range world.Calls() {
		if c.Fault == "throttle" {
			throttled++
		}
	}
	b.WriteString(l.fill(fmt.Sprintf("%s throttled and retried; %s hung, was left after %s, and held up no other.", count(throttled, "request was", "requests were"),
		count(countReason(r.Evaluations, audit.Timeout), "region", "regions"), s.Audit.RegionTimeout), "") + "\n")
	b.WriteString("Next, your own account; it is read, and nothing in it changes:\n" +
		"  go run ./function/cmd/eventbridge-auditor audit\n" +
		"Or serve this simulated one to the AWS CLI, the SDKs and sam local invoke:\n" +
		"  go run ./function/cmd/eventbridge-auditor simulate\n")
	return exitClean, p.write(b.String())
}

func countReason(evaluations []audit.Evaluation, reason audit.Reason) int {
	n := 0
	for _, e := range evaluations {
		if e.Reason == reason {
			n++
		}
	}
	return n
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// frame sets a text off with a bar on its left.
func frame(s string, l look) string {
	var b strings.Builder
	for line := range strings.Lines(s) {
		b.WriteString(l.paint("2", "│") + strings.TrimRight(" "+line, " \n") + "\n")
	}
	return b.String()
}

// narrower leaves room for the frame.
func (l look) narrower() look {
	l.width = max(0, l.width-2)
	return l
}

// showChat shows a custom notification about as a Slack channel does.
func showChat(notification string, l look) (string, error) {
	var n struct {
		Content struct {
			Title, Description string
			NextSteps          []string
			Keywords           []string
		}
	}
	if err := json.Unmarshal([]byte(notification), &n); err != nil {
		return "", fmt.Errorf("read the chat notification: %w", err)
	}
	show := strings.NewReplacer(":rotating_light:", "🚨", ":warning:", "⚠️", ":white_check_mark:", "✅", "&lt;", "<", "&gt;", ">", "&amp;", "&")
	var b strings.Builder
	b.WriteString(l.paint("1", show.Replace(n.Content.Title)) + "\n")
	for line := range strings.Lines(show.Replace(n.Content.Description)) {
		line = strings.TrimRight(line, "\n")
		if strings.HasPrefix(line, "*") {
			line = l.paint("1", l.narrower().fill(strings.ReplaceAll(line, "*", ""), ""))
		}
		b.WriteString(l.narrower().fill(strings.ReplaceAll(line, "`", ""), "  ") + "\n")
	}
	b.WriteString("\n" + l.paint("1", "Next steps") + "\n")
	for _, step := range n.Content.NextSteps {
		b.WriteString(l.narrower().fill("• "+show.Replace(step), "  ") + "\n")
	}
	b.WriteString(l.paint("2", strings.Join(n.Content.Keywords, " · ")) + "\n")
	return frame(b.String(), l), nil
}
