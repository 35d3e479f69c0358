package cloud

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sns/types"

	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/notify"
)

// Publish sends a message to an SNS topic, in the topic's own region, and returns the message's id. The SDK retries; an
// error is final for this run and says what to do.
// https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
func (s *Session) Publish(ctx context.Context, topicARN string, m notify.Message) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	topic, err := arn.Parse(topicARN)
	if err != nil {
		return "", fmt.Errorf("publish to %q: %w", topicARN, err)
	}
	attributes := make(map[string]types.MessageAttributeValue, len(m.Attributes))
	for _, a := range m.Attributes {
		attributes[a.Name] = types.MessageAttributeValue{DataType: aws.String(a.Type), StringValue: aws.String(a.Value)}
	}
	client := sns.NewFromConfig(s.cfg, func(o *sns.Options) { o.Region = topic.Region })
	out, err := client.Publish(ctx, &sns.PublishInput{
		TopicArn: aws.String(topicARN), Subject: aws.String(m.Subject), Message: aws.String(m.Body),
		MessageStructure: aws.String("json"), MessageAttributes: attributes,
	})
	if err != nil {
		failure := classify(ctx, err, "sns:Publish")
		return "", fmt.Errorf("publish to %s: %w; check that the topic exists, and that this role and the topic's policy allow "+
			"sns:Publish (and kms:GenerateDataKey and kms:Decrypt where the topic has a key of its own)", topicARN, failure)
	}
	return aws.ToString(out.MessageId), nil
}
