package sim_test

import (
	"context"
	"reflect"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sns/types"

	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/sim"
)

func attribute(kind, value string) map[string]types.MessageAttributeValue {
	return map[string]types.MessageAttributeValue{"name": {DataType: &kind, StringValue: &value}}
}

func TestPublishValidates(t *testing.T) {
	const bad, badValue = "InvalidParameter", "ParameterValueInvalid"
	long := strings.Repeat("a", sim.MaxMessage)
	with := func(f func(*sns.PublishInput)) sns.PublishInput {
		in := sns.PublishInput{TopicArn: aws.String(topicARN), Message: aws.String("hello")}
		f(&in)
		return in
	}
	subject := func(s string) sns.PublishInput { return with(func(in *sns.PublishInput) { in.Subject = &s }) }
	structure := func(s string) sns.PublishInput {
		return with(func(in *sns.PublishInput) { in.MessageStructure, in.Message = aws.String("json"), &s })
	}
	attributes := func(a map[string]types.MessageAttributeValue) sns.PublishInput {
		return with(func(in *sns.PublishInput) { in.MessageAttributes = a })
	}
	topic := func(s string) sns.PublishInput { return with(func(in *sns.PublishInput) { in.TopicArn = &s }) }
	tests := map[string]struct {
		in   sns.PublishInput
		want string
	}{
		"plain":                 {with(func(*sns.PublishInput) {}), ""},
		"target ARN":            {with(func(in *sns.PublishInput) { in.TargetArn, in.TopicArn = in.TopicArn, nil }), ""},
		"no topic":              {with(func(in *sns.PublishInput) { in.TopicArn = nil }), bad},
		"topic unknown":         {topic("arn:aws:sns:us-east-1:123456789012:other"), "NotFound"},
		"topic elsewhere":       {topic("arn:aws:sns:eu-west-1:123456789012:eventbridge-auditor"), bad},
		"topic no ARN":          {topic("eventbridge-auditor"), bad},
		"topic a queue":         {topic("arn:aws:sqs:us-east-1:123456789012:q"), bad},
		"subject":               {subject("CWE-001: 4 regions fail"), ""},
		"subject of 99":         {subject(strings.Repeat("a", 99)), ""},
		"subject of 100":        {subject(strings.Repeat("a", 100)), bad},
		"subject empty":         {subject(""), bad},
		"subject line break":    {subject("a\nb"), bad},
		"subject tab":           {subject("a\tb"), bad},
		"subject umlaut":        {subject("Prüfung"), bad},
		"subject blank first":   {subject(" a"), bad},
		"empty message":         {with(func(in *sns.PublishInput) { in.Message = aws.String("") }), bad},
		"longest message":       {with(func(in *sns.PublishInput) { in.Message = &long }), ""},
		"too long":              {with(func(in *sns.PublishInput) { in.Message = aws.String(long + "a") }), bad},
		"too long by attribute": {with(func(in *sns.PublishInput) { in.Message, in.MessageAttributes = &long, attribute("String", "a") }), bad},
		"json":                  {structure(`{"default":"a","email":"b","unknown":"c"}`), ""},
		"json without default":  {structure(`{"email":"b"}`), bad},
		"json default number":   {structure(`{"default":1}`), bad},
		"json value object":     {structure(`{"default":"a","https":{"a":1}}`), bad},
		"json list":             {structure(`["default"]`), bad},
		"json broken":           {structure(`{"default":"a"`), bad},
		"json null":             {structure(`null`), bad},
		"structure":             {with(func(in *sns.PublishInput) { in.MessageStructure = aws.String("xml") }), bad},
		"attribute":             {attributes(attribute("String", "a")), ""},
		"attribute own type":    {attributes(attribute("Number.int", "1")), ""},
		"attribute bad type":    {attributes(attribute("Boolean", "true")), badValue},
		"attribute empty":       {attributes(attribute("String", "")), badValue},
		"attribute number":      {attributes(attribute("Number", "-12.5e3")), ""},
		"attribute no number":   {attributes(attribute("Number", "many")), badValue},
		"attribute array":       {attributes(attribute("String.Array", `["a",1,true,null]`)), ""},
		"attribute no array":    {attributes(attribute("String.Array", `a,b`)), badValue},
		"attribute nested":      {attributes(attribute("String.Array", `[["a"]]`)), badValue},
		"attribute binary": {attributes(map[string]types.MessageAttributeValue{
			"b": {DataType: aws.String("Binary"), BinaryValue: []byte{0, 1}}}), ""},
		"attribute bad name": {attributes(map[string]types.MessageAttributeValue{
			"a..b": {DataType: aws.String("String"), StringValue: aws.String("a")}}), badValue},
		"attribute reserved name": {attributes(map[string]types.MessageAttributeValue{
			"AWS.b": {DataType: aws.String("String"), StringValue: aws.String("a")}}), badValue},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := loadWorld(t, "demo")
			_, err := snsIn(w, "us-east-1").Publish(context.Background(), &tt.in)
			wantCode(t, "Publish", err, tt.want)
			if got := len(w.Published()); (got == 1) != (tt.want == "") {
				t.Errorf("%d messages are kept", got)
			}
		})
	}
}

func TestPublishedKeepsTheMessage(t *testing.T) {
	w := loadWorld(t, "demo")
	out, err := snsIn(w, "us-east-1").Publish(context.Background(), &sns.PublishInput{
		TopicArn: aws.String(topicARN), Subject: aws.String("s"), Message: aws.String(`{"default":"ä <&> \u2028"}`), MessageStructure: aws.String("json"),
		MessageAttributes: attribute("String.Array", `["eu-west-1"]`),
	})
	if err != nil {
		t.Fatal(err)
	}
	got := w.Published()[0]
	want := sim.Published{Time: got.Time, Region: "us-east-1", TopicARN: topicARN, Subject: "s", Message: `{"default":"ä <&> \u2028"}`,
		MessageStructure: "json", Attributes: map[string]sim.Attribute{"name": {Type: "String.Array", Value: `["eu-west-1"]`}}, MessageID: *out.MessageId}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestTopics(t *testing.T) {
	ctx, w := context.Background(), newWorld(t, sim.Scenario{})
	c := snsIn(w, "eu-west-1")
	out, err := c.CreateTopic(ctx, &sns.CreateTopicInput{Name: aws.String("alerts"), Attributes: map[string]string{"DisplayName": "A & B"}})
	if err != nil || *out.TopicArn != "arn:aws:sns:eu-west-1:123456789012:alerts" {
		t.Fatal(out, err)
	}
	_, err = c.CreateTopic(ctx, &sns.CreateTopicInput{Name: aws.String("a b")})
	wantCode(t, "topic name", err, "InvalidParameter")
	_, err = c.CreateTopic(ctx, &sns.CreateTopicInput{Name: aws.String("q.fifo")})
	wantCode(t, "FIFO name without the attribute", err, "InvalidParameter")
	attributes, err := c.GetTopicAttributes(ctx, &sns.GetTopicAttributesInput{TopicArn: out.TopicArn})
	if err != nil || attributes.Attributes["DisplayName"] != "A & B" {
		t.Errorf("%+v, %v", attributes, err)
	}
	topics, err := c.ListTopics(ctx, &sns.ListTopicsInput{})
	if err != nil || len(topics.Topics) != 1 || *topics.Topics[0].TopicArn != *out.TopicArn {
		t.Errorf("%+v, %v", topics, err)
	}
	if topics, err = snsIn(w, "eu-west-2").ListTopics(ctx, &sns.ListTopicsInput{}); err != nil || len(topics.Topics) != 0 {
		t.Errorf("another region lists %+v, %v", topics, err)
	}
	subscribed, err := c.Subscribe(ctx, &sns.SubscribeInput{TopicArn: out.TopicArn, Protocol: aws.String("email"), Endpoint: aws.String("a@example.com")})
	if err != nil || !strings.HasPrefix(*subscribed.SubscriptionArn, *out.TopicArn) {
		t.Errorf("%+v, %v", subscribed, err)
	}
	list, err := c.ListSubscriptionsByTopic(ctx, &sns.ListSubscriptionsByTopicInput{TopicArn: out.TopicArn})
	if err != nil || len(list.Subscriptions) != 1 || *list.Subscriptions[0].Endpoint != "a@example.com" {
		t.Errorf("%+v, %v", list, err)
	}
	_, err = c.Subscribe(ctx, &sns.SubscribeInput{TopicArn: out.TopicArn, Protocol: aws.String("pigeon"), Endpoint: aws.String("x")})
	wantCode(t, "protocol", err, "InvalidParameter")
}
