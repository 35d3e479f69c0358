package sim

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// MaxMessage is the most bytes that SNS takes in one message, attributes
// included.
const MaxMessage = 262144

// Published is one message that SNS has taken.
type Published struct {
	Time             time.Time            `json:"time"`
	Region           string               `json:"region"`
	TopicARN         string               `json:"topicArn"`
	Subject          string               `json:"subject"`
	Message          string               `json:"message"`
	MessageStructure string               `json:"messageStructure"`
	Attributes       map[string]Attribute `json:"attributes"`
	MessageID        string               `json:"messageId"`
}

// Attribute is a message attribute. The value of a Binary one is base64.
type Attribute struct {
	Type  string `json:"type"`
	Value string `json:"value"`
}

// publish takes a message as SNS would.
// https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
func publish(c *call) (any, *apiError) {
	member, destination := "TopicArn", c.form.Get("TopicArn")
	if destination == "" && c.form.Get("TargetArn") != "" {
		member, destination = "TargetArn", c.form.Get("TargetArn")
	}
	if destination == "" {
		return nil, badParameter("TopicArn or TargetArn Reason: no value for required parameter")
	}
	t, e := c.findTopic(member, destination)
	if e != nil {
		return nil, e
	}
	p := Published{
		Time: c.world.now().UTC(), Region: c.region, TopicARN: t.arn,
		Subject: c.form.Get("Subject"), Message: c.form.Get("Message"), MessageStructure: c.form.Get("MessageStructure"),
	}
	if c.form.Has("Subject") && !validSubject(p.Subject) {
		return nil, badParameter("Subject")
	}
	if !c.form.Has("Message") {
		return nil, missing("message")
	}
	if p.Attributes, e = c.messageAttributes(); e != nil {
		return nil, e
	}
	if e := checkMessage(p); e != nil {
		return nil, e
	}
	if strings.HasSuffix(t.arn, ".fifo") && !c.form.Has("MessageGroupId") {
		return nil, badParameter("The MessageGroupId parameter is required for FIFO topics")
	}
	p.MessageID = id(1, len(c.world.published)+1)
	c.world.published = append(c.world.published, p)
	return struct{ MessageId string }{p.MessageID}, nil
}

// validSubject: ASCII, fewer than 100 characters, no control characters, and
// a letter, a number or a punctuation mark at the start.
func validSubject(s string) bool {
	if s == "" || len(s) >= 100 || s[0] == ' ' {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' })
}

func checkMessage(p Published) *apiError {
	size := len(p.Message)
	for name, a := range p.Attributes {
		size += len(name) + len(a.Type) + len(a.Value)
		if strings.HasPrefix(a.Type, "Binary") {
			size += base64.StdEncoding.DecodedLen(len(a.Value)) - len(a.Value)
		}
	}
	switch {
	case p.Message == "":
		return badParameter("Empty message")
	case !utf8.ValidString(p.Message):
		return badParameter("Message Reason: not valid UTF-8")
	case size > MaxMessage:
		return badParameter("Message too long")
	}
	switch p.MessageStructure {
	case "":
		return nil
	case "json":
		return checkStructure(p.Message)
	}
	return badParameter("Message Structure - must be json")
}

// checkStructure is stricter than SNS in one thing: SNS ignores a key whose
// value is not a string, which no caller can have meant, and this refuses it.
func checkStructure(message string) *apiError {
	var object map[string]json.RawMessage
	if json.Unmarshal([]byte(message), &object) != nil || object == nil {
		return badParameter("Message Structure - JSON message body failed to parse")
	}
	if raw, ok := object["default"]; !ok || raw[0] != '"' {
		return badParameter("Message Structure - No default entry in JSON message body")
	}
	for _, raw := range object {
		if raw[0] != '"' {
			return badParameter("Message Structure - JSON message body failed to parse")
		}
	}
	return nil
}

var (
	attributeName = regexp.MustCompile(`^[A-Za-z0-9_\-]+(\.[A-Za-z0-9_\-]+)*$`)
	numberValue   = regexp.MustCompile(`^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?$`)
	typeName      = regexp.MustCompile(`^(String|Number|Binary)(\.[A-Za-z0-9_.\-]+)?$`)
)

// messageAttributes reads MessageAttributes.entry.N with Name and Value.
// https://docs.aws.amazon.com/sns/latest/dg/sns-message-attributes.html
func (c *call) messageAttributes() (map[string]Attribute, *apiError) {
	out := map[string]Attribute{}
	for n := 1; ; n++ {
		prefix := fmt.Sprintf("MessageAttributes.entry.%d.", n)
		if !c.form.Has(prefix+"Name") && !c.form.Has(prefix+"Value.DataType") {
			return out, nil
		}
		name := c.form.Get(prefix + "Name")
		a := Attribute{c.form.Get(prefix + "Value.DataType"), c.form.Get(prefix + "Value.StringValue")}
		if strings.HasPrefix(a.Type, "Binary") {
			a.Value = c.form.Get(prefix + "Value.BinaryValue")
		}
		if why := attributeFault(name, a); why != "" {
			return nil, &apiError{http.StatusBadRequest, "ParameterValueInvalid", "The message attribute '" + name + "' " + why}
		}
		if _, twice := out[name]; twice {
			return nil, badParameter("Message attribute '" + name + "' is given twice")
		}
		out[name] = a
	}
}

// attributeFault says what is wrong with a message attribute, or "".
func attributeFault(name string, a Attribute) string {
	lower := strings.ToLower(name)
	switch {
	case len(name) > 256 || !attributeName.MatchString(name):
		return "has an invalid name: letters, digits, _, -, and single dots inside are allowed, at most 256."
	case strings.HasPrefix(lower, "aws.") || strings.HasPrefix(lower, "amazon."):
		return "has a name with a reserved prefix."
	case a.Type == "":
		return "must contain a message attribute type."
	case len(a.Type) > 256 || !typeName.MatchString(a.Type):
		return "has an invalid message attribute type, the set of supported type prefixes is Binary, Number, and String."
	case a.Value == "":
		return "must contain a non-empty message attribute value."
	case strings.HasPrefix(a.Type, "Number") && !numberValue.MatchString(a.Value):
		return "has an invalid value: a Number is wanted."
	case a.Type == "String.Array" && !validArray(a.Value):
		return "has an invalid value: a JSON array of strings, numbers, true, false and null is wanted."
	case strings.HasPrefix(a.Type, "Binary") && !validBase64(a.Value):
		return "has an invalid value: base64 is wanted."
	case !utf8.ValidString(a.Value):
		return "has an invalid value: UTF-8 is wanted."
	}
	return ""
}

func validArray(s string) bool {
	var items []any
	if json.Unmarshal([]byte(s), &items) != nil || items == nil {
		return false
	}
	return !slices.ContainsFunc(items, func(item any) bool {
		switch item.(type) {
		case []any, map[string]any:
			return true
		}
		return false
	})
}

func validBase64(s string) bool {
	_, err := base64.StdEncoding.DecodeString(s)
	return err == nil
}
