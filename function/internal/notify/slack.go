package notify

import (
	"fmt"
	"slices"
	"strings"

	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/audit"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/record"
)

// chat is an Amazon Q Developer in chat applications custom notification, which is how an SNS message gets into a Slack
// or Teams channel.
// https://docs.aws.amazon.com/chatbot/latest/adminguide/custom-notifs.html
type chat struct {
	Version  string       `json:"version"`
	Source   string       `json:"source"`
	Content  chatContent  `json:"content"`
	Metadata chatMetadata `json:"metadata"`
}

type chatContent struct {
	TextType    string   `json:"textType"`
	Title       string   `json:"title"`       // at most 250 characters
	Description string   `json:"description"` // at most 8,000 characters
	NextSteps   []string `json:"nextSteps,omitempty"`
	Keywords    []string `json:"keywords,omitempty"`
}

type chatMetadata struct {
	ThreadID            string            `json:"threadId"`
	Summary             string            `json:"summary"`
	EventType           string            `json:"eventType"`
	RelatedResources    []string          `json:"relatedResources,omitempty"`
	AdditionalContext   map[string]string `json:"additionalContext,omitempty"`
	EnableCustomActions bool              `json:"enableCustomActions"`
}

// descriptionRunes leaves room under the 8,000 characters for the warnings, whose marks are escaped, and for the line that says
// what was left out.
const descriptionRunes = 5_500

func chatMessage(r record.Record, kind record.Kind) chat {
	icon := map[record.Kind]string{record.Failing: ":rotating_light:", record.Reminder: ":alarm_clock:", record.Incomplete: ":warning:", record.Resolved: ":white_check_mark:", record.None: ":white_check_mark:"}[kind]
	var b strings.Builder
	b.WriteString("*" + escape(Headline(r)) + "*\n")
	var steps, resources []string
	omitted, written, label := 0, len([]rune(b.String())), labeler(r)
	heading := "" // written with the first row under it
	say := func(line func() string) bool {
		if omitted == 0 {
			if text := heading + line(); written+len([]rune(text)) <= descriptionRunes {
				b.WriteString(text)
				written += len([]rune(text))
				heading = ""
				return true
			}
		}
		omitted++
		return false
	}
	for _, g := range changeGroups(r) {
		heading = fmt.Sprintf("\n*%s* (%d)\n", g.title, len(g.regions))
		for _, region := range g.regions {
			say(func() string {
				return fmt.Sprintf("• `%s`: %s\n", label(region.Scope()), code(DescribeChange(region)))
			})
		}
		steps = append(steps, g.title+": "+escape(g.advice))
	}
	for _, part := range parts(r) {
		if part.resolved && len(part.evaluations) > 0 {
			heading = fmt.Sprintf("\n*%s* (%d)\n", part.title, len(part.evaluations))
			for _, e := range part.evaluations {
				say(func() string { return fmt.Sprintf("• `%s`: %s\n", label(e.Scope()), code(resolvedText(r, e))) })
			}
			continue
		}
		for _, g := range Groups(part.evaluations, part.status) {
			heading = fmt.Sprintf("\n*%s: %s* (%s)\n", part.title, escape(g.Title), g.Reason)
			for _, e := range g.Evaluations {
				if say(func() string { return fmt.Sprintf("• `%s`: %s\n", label(e.Scope()), code(Describe(e)+since(r, e))) }) &&
					part.status == audit.NonCompliant && e.ConsoleURL != "" && len(resources) < 10 {
					resources = append(resources, e.ConsoleURL)
				}
			}
			if step := fmt.Sprintf("%s: %s", g.Reason, escape(g.Advice)); !slices.Contains(steps, step) {
				steps = append(steps, step)
			}
		}
	}
	if omitted > 0 {
		fmt.Fprintf(&b, "\n_%s did not fit; the run's record has all of them._\n", count(omitted, "more region", "more regions"))
	}
	for i, w := range boundedWarnings(r.Warnings) {
		if i == 5 {
			fmt.Fprintf(&b, "_%d more warnings are in the mail and in the run's record._\n", len(r.Warnings)-i)
			break
		}
		if i == 0 {
			b.WriteString("\n*Warnings*\n")
		}
		b.WriteString("• " + code(shortenText(w, 150)) + "\n")
	}
	if r.Summary[audit.NonCompliant] > 0 {
		steps = append(steps, "To accept a region as it is: the mail has its entry for the list of exceptions (Exceptions, --exceptions).")
	}
	return chat{
		Version: "1.0", Source: "custom",
		Content: chatContent{
			TextType: "client-markdown", Title: icon + " " + subject(r, kind), Description: b.String(),
			NextSteps: steps, Keywords: []string{r.Check.ID, string(kind), r.Check.RiskLevel},
		},
		Metadata: chatMetadata{
			ThreadID: r.Check.ID + "-" + strings.ReplaceAll(who(r), " ", "-"), Summary: Headline(r),
			EventType: r.Check.ID + " " + string(kind), RelatedResources: resources,
			AdditionalContext: map[string]string{"runId": r.RunID, "policy": string(r.Policy), "regionSource": r.Coverage.RegionSource},
		},
	}
}

var markdown = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

// escape makes our own text safe in a client's markdown.
func escape(s string) string { return markdown.Replace(s) }

// code shows foreign text as a code span, in which a chat client gives no character a meaning but the three of escape
// and the backquote that would end it.
func code(s string) string {
	return "`" + escape(strings.ReplaceAll(clean(s), "`", "'")) + "`"
}
