package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/audit"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/cloud"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/notify"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/reconcile"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/record"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/remediation"
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
		about: "Audits an embedded, simulated account of 34 regions with the code that audits a real one, shows the\n" +
			"report and the alert as mail and as Slack would show it, then plans, remediates, audits again and undoes.\n" +
			"Reads no setting and sends nothing.",
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
	s.Audit.RegionTimeout = time.Second // one region of the demo hangs: do not keep the audience waiting
	session := cloud.OpenStatic(cloud.Static{
		HTTPClient: world.Client(), Region: "us-east-1", AccessKeyID: exampleKeyID, SecretAccessKey: exampleSecret,
		MaxBackoff: 200 * time.Millisecond, Timeout: s.Audit.RegionTimeout,
	})
	d := demo{program: p, session: session, settings: s, look: p.lookOf(p.stdout)}
	for _, scene := range []func(context.Context, *sim.World) error{d.audit, d.plan, d.remediate, d.again, d.undo} {
		if err := scene(ctx, world); err != nil {
			return 0, err
		}
	}
	d.WriteString("Next, your own account; it is read, and nothing in it changes:\n" +
		"  go run ./function/cmd/eventbridge-auditor plan\n" +
		"Or serve this simulated one to the AWS CLI, the SDKs and sam local invoke:\n" +
		"  go run ./function/cmd/eventbridge-auditor simulate\n")
	return exitClean, p.write(d.String())
}

// demo is a play of one scene for each command. It is shown as a whole.
type demo struct {
	*program
	session  *cloud.Session
	settings settings.Settings
	look     look
	scenes   int
	strings.Builder
}

// run does what the command of the action would do.
func (d *demo) run(ctx context.Context, action trigger.Action, topic string) (record.Record, error) {
	o := d.options(d.settings, false)
	o.MayChange = true
	o.Notify.TopicARN = topic
	progress := d.progress()
	defer progress.clear()
	o.Audit.Observe = progress.show
	return reconcile.Run(ctx, d.session, o, trigger.Trigger{Kind: trigger.CLI, ID: o.RunID, Action: action})
}

func (d *demo) title(format string, args ...any) {
	d.scenes++
	d.WriteString(d.look.paint("1;7", fmt.Sprintf(" %d. %s ", d.scenes, fmt.Sprintf(format, args...))) + "\n\n")
}

func (d *demo) say(format string, args ...any) {
	d.WriteString(d.look.fill(fmt.Sprintf(format, args...), "") + "\n\n")
}

func (d *demo) audit(ctx context.Context, world *sim.World) error {
	r, err := d.run(ctx, trigger.Audit, exampleTopic)
	if err != nil {
		return err
	}
	d.title("audit: %d regions, %d requests, %.1f s", r.Coverage.Scopes, r.APICalls, r.FinishedAt.Sub(r.StartedAt).Seconds())
	d.WriteString(d.look.paint("1", d.look.fill(notify.Headline(r), "")) + "\n\n" + evaluationTable(r, d.look) + "\n")
	throttled := 0
	for _, c := range world.Calls() {
		if c.Fault == "throttle" {
			throttled++
		}
	}
	d.say("%s throttled and retried; %s hung, was left after %s, and held up no other.", count(throttled, "request was", "requests were"),
		count(countReason(r.Evaluations, audit.Timeout), "region", "regions"), d.settings.Audit.RegionTimeout)
	for _, message := range world.Published() {
		var texts map[string]string
		if err := json.Unmarshal([]byte(message.Message), &texts); err != nil {
			return fmt.Errorf("read the published message: %w", err)
		}
		d.title("The alert as mail")
		d.WriteString(frame("Subject: "+message.Subject+"\n\n"+texts["email"], d.look) + "\n")
		d.title("The alert in Slack, through Amazon Q Developer")
		chat, err := showChat(texts["https"], d.look)
		if err != nil {
			return err
		}
		d.WriteString(chat + "\n")
	}
	return nil
}

// plan shows the commands of one region: those of the others differ in the region's name.
func (d *demo) plan(ctx context.Context, _ *sim.World) error {
	r, err := d.run(ctx, trigger.Plan, "")
	if err != nil {
		return err
	}
	d.title("plan: what remediate would change, and what it leaves alone")
	d.WriteString(d.look.paint("1", d.look.fill(notify.ChangeHeadline(*r.Remediation), "")) + "\n" + changeTable(r, d.look) + "\n")
	if planned := r.Changed(remediation.Planned); len(planned) > 0 {
		d.WriteString(d.look.paint("2", "# the same by hand, for "+planned[0].Region+"; the rule is enabled last, so that the region never passes by a rule without a target") +
			"\n" + remediation.Chain(commandsOf(planned[0])) + "\n\n")
	}
	return nil
}

func (d *demo) remediate(ctx context.Context, _ *sim.World) error {
	r, err := d.run(ctx, trigger.Remediate, "")
	if err != nil {
		return err
	}
	d.title("remediate: first one region alone, then the others; then a second look at each")
	d.WriteString(d.look.paint("1", d.look.fill(notify.ChangeHeadline(*r.Remediation), "")) + "\n" + changeTable(changedOnly(r), d.look) + "\n")
	return nil
}

func (d *demo) again(ctx context.Context, _ *sim.World) error {
	r, err := d.run(ctx, trigger.Audit, "")
	if err != nil {
		return err
	}
	d.title("audit again")
	failing := r
	failing.Evaluations = slices.DeleteFunc(slices.Clone(r.Evaluations), func(e audit.Evaluation) bool {
		return e.Status != audit.NonCompliant && e.Reason != audit.OnlyRemediationRule
	})
	d.WriteString(d.look.paint("1", d.look.fill(notify.Headline(r), "")) + "\n\n" + evaluationTable(failing, d.look) + "\n")
	return nil
}

func (d *demo) undo(ctx context.Context, _ *sim.World) error {
	r, err := d.run(ctx, trigger.Undo, "")
	if err != nil {
		return err
	}
	d.title("undo: what remediate made is gone, and nothing else")
	d.WriteString(d.look.paint("1", d.look.fill(notify.ChangeHeadline(*r.Remediation), "")) + "\n" + changeTable(changedOnly(r), d.look) + "\n")
	return nil
}

// changedOnly leaves out what was left alone.
func changedOnly(r record.Record) record.Record {
	report := *r.Remediation
	report.Regions = r.Changed(remediation.Failed, remediation.Remediated, remediation.Undone)
	r.Remediation = &report
	return r
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
