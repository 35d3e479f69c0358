package notify

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/record"
)

// ComposeTest writes the marked message of a self-test, in every protocol's form. Nobody must take it for an alert.
func ComposeTest(r record.Record) (Message, error) {
	var b strings.Builder
	const why = "This is a test. Somebody asked the eventbridge-auditor whether its messages arrive: this one did, and it says nothing of any region."
	b.WriteString(wrap(why, "", ""))
	chatText := why + "\n\n"
	failed := 0
	r.Warnings = boundedWarnings(r.Warnings)
	r.SelfTest = slices.Clone(r.SelfTest)
	for i := range r.SelfTest {
		r.SelfTest[i].Detail = shortenText(r.SelfTest[i].Detail, 1000)
	}
	for _, t := range r.SelfTest {
		word := "works"
		if !t.OK {
			word = "DOES NOT WORK"
			failed++
		}
		chatText += "• " + t.Name + " " + word + ": " + code(shortenText(t.Detail, 300)) + "\n"
		b.WriteString("\n" + wrap(clean(fmt.Sprintf("%s %s: %s", t.Name, word, t.Detail)), "  ", "    "))
	}
	b.WriteString("\n-- \n")
	if r.Auditor != "" {
		b.WriteString(wrap("Sent by "+clean(r.Auditor)+".", "", ""))
	}
	b.WriteString(wrap("Run "+r.RunID+".", "", ""))
	prose := b.String()
	title := ascii(r.Check.ID+" TEST: this is not an alert", 99)
	readable, err := json.Marshal(chat{
		Version: "1.0", Source: "custom",
		Content:  chatContent{TextType: "client-markdown", Title: ":wrench: " + title, Description: chatText, Keywords: []string{r.Check.ID, string(record.Test)}},
		Metadata: chatMetadata{ThreadID: r.Check.ID + "-test", Summary: title, EventType: r.Check.ID + " " + string(record.Test)},
	})
	if err != nil {
		return Message{}, err
	}
	r.Notification.Kind = record.Test
	data, err := json.Marshal(r)
	if err != nil {
		return Message{}, err
	}
	body := map[string]string{"default": prose, "email": prose, "https": string(readable), "sms": ascii(fmt.Sprintf("%s TEST: not an alert, %d of %d parts do not work", r.Check.ID, failed, len(r.SelfTest)), 140)}
	for _, protocol := range recordProtocols {
		body[protocol] = string(data)
	}
	whole, err := json.Marshal(body)
	return Message{Subject: title, Body: string(whole), Attributes: attributes(r, record.Test)}, err
}
