package sim

import (
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// snsService is the Simple Notification Service: topics, subscriptions (which
// are listed, and delivered to nobody) and publications (which are kept).
// https://docs.aws.amazon.com/sns/latest/api/API_Operations.html
var snsService = service{
	protocol:  awsQuery,
	prefix:    "SNS",
	namespace: "http://sns.amazonaws.com/doc/2010-03-31/",
	operations: map[string]operation{
		"CreateTopic": createTopic, "ListTopics": listTopics, "GetTopicAttributes": getTopicAttributes,
		"Publish": publish, "Subscribe": subscribe, "ListSubscriptionsByTopic": listSubscriptionsByTopic,
	},
}

type topic struct {
	arn           string
	attributes    map[string]string
	subscriptions []subscription
}

type subscription struct {
	TopicArn        string
	Protocol        string
	SubscriptionArn string
	Owner           string
	Endpoint        string
}

var topicPattern = regexp.MustCompile(`^[A-Za-z0-9_-]{1,256}$`)

func badParameter(text string) *apiError {
	return &apiError{http.StatusBadRequest, "InvalidParameter", "Invalid parameter: " + text}
}

func missing(member string) *apiError {
	e := violation("null", member, "Member must not be null")
	e.code = "ValidationError"
	return e
}

// findTopic resolves a topic's ARN, which must be of the signed region.
func (c *call) findTopic(member, topicARN string) (*topic, *apiError) {
	a, ok := parseARN(topicARN)
	if n := len(strings.Split(topicARN, ":")); !ok && n < 6 {
		return nil, badParameter(fmt.Sprintf("%s Reason: An ARN must have at least 6 elements, not %d", member, n))
	}
	if !ok || a.service != "sns" || a.region != c.region || a.partition != c.world.partition.name {
		return nil, badParameter(member)
	}
	t := c.world.topics[topicARN]
	if t == nil {
		return nil, &apiError{http.StatusNotFound, "NotFound", "Topic does not exist"}
	}
	return t, nil
}

func createTopic(c *call) (any, *apiError) {
	name := c.form.Get("Name")
	attributes := c.formMap("Attributes")
	base, fifo := strings.CutSuffix(name, ".fifo")
	if !topicPattern.MatchString(base) || fifo != (attributes["FifoTopic"] == "true") {
		return nil, badParameter("Topic Name")
	}
	topicARN := arn{c.world.partition.name, "sns", c.region, c.account, name}.String()
	if c.world.topics[topicARN] == nil {
		c.world.topics[topicARN] = &topic{arn: topicARN, attributes: attributes}
	}
	return struct{ TopicArn string }{topicARN}, nil
}

// formMap reads a query protocol's map: prefix.entry.N.key and .value.
func (c *call) formMap(prefix string) map[string]string {
	out := map[string]string{}
	for n := 1; c.form.Has(fmt.Sprintf("%s.entry.%d.key", prefix, n)); n++ {
		out[c.form.Get(fmt.Sprintf("%s.entry.%d.key", prefix, n))] = c.form.Get(fmt.Sprintf("%s.entry.%d.value", prefix, n))
	}
	return out
}

func listTopics(c *call) (any, *apiError) {
	var arns []string
	for _, name := range slices.Sorted(maps.Keys(c.world.topics)) {
		if a, _ := parseARN(name); a.region == c.region && a.account == c.account {
			arns = append(arns, name)
		}
	}
	part, next, ok := page(c, arns, func(s string) string { return s }, 100, c.form.Get("NextToken"))
	if !ok {
		return nil, badParameter("NextToken")
	}
	type member struct{ TopicArn string }
	out := struct {
		Topics    []member `xml:"Topics>member"`
		NextToken string   `xml:",omitempty"`
	}{NextToken: next}
	for _, a := range part {
		out.Topics = append(out.Topics, member{a})
	}
	return out, nil
}

// attribute is an entry of a map as query protocols answer it.
type attribute struct {
	Key   string `xml:"key"`
	Value string `xml:"value"`
}

func getTopicAttributes(c *call) (any, *apiError) {
	t, e := c.requiredTopic()
	if e != nil {
		return nil, e
	}
	a, _ := parseARN(t.arn)
	values := map[string]string{
		"TopicArn": t.arn, "Owner": a.account, "DisplayName": "",
		"SubscriptionsConfirmed": fmt.Sprint(len(t.subscriptions)), "SubscriptionsPending": "0", "SubscriptionsDeleted": "0",
	}
	maps.Copy(values, t.attributes)
	var out struct {
		Attributes []attribute `xml:"Attributes>entry"`
	}
	for _, key := range slices.Sorted(maps.Keys(values)) {
		out.Attributes = append(out.Attributes, attribute{key, values[key]})
	}
	return out, nil
}

func (c *call) requiredTopic() (*topic, *apiError) {
	if !c.form.Has("TopicArn") {
		return nil, missing("topicArn")
	}
	return c.findTopic("TopicArn", c.form.Get("TopicArn"))
}

var subscriptionProtocols = []string{"http", "https", "email", "email-json", "sms", "sqs", "application", "lambda", "firehose"}

func subscribe(c *call) (any, *apiError) {
	t, e := c.requiredTopic()
	if e != nil {
		return nil, e
	}
	s := subscription{TopicArn: t.arn, Protocol: c.form.Get("Protocol"), Owner: c.account, Endpoint: c.form.Get("Endpoint")}
	if !slices.Contains(subscriptionProtocols, s.Protocol) {
		return nil, badParameter("Amazon SNS does not support this protocol string: " + s.Protocol)
	}
	if s.Endpoint == "" {
		return nil, badParameter("Endpoint")
	}
	s.SubscriptionArn = t.arn + ":" + c.requestID
	t.subscriptions = append(t.subscriptions, s)
	return struct{ SubscriptionArn string }{s.SubscriptionArn}, nil
}

func listSubscriptionsByTopic(c *call) (any, *apiError) {
	t, e := c.requiredTopic()
	if e != nil {
		return nil, e
	}
	part, next, ok := page(c, t.subscriptions, func(s subscription) string { return s.SubscriptionArn }, 100, c.form.Get("NextToken"), t.arn)
	if !ok {
		return nil, badParameter("NextToken")
	}
	return struct {
		Subscriptions []subscription `xml:"Subscriptions>member"`
		NextToken     string         `xml:",omitempty"`
	}{Subscriptions: part, NextToken: next}, nil
}
