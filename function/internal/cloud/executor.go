package cloud

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/smithy-go"

	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/audit"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/remediation"
)

var _ remediation.Executor = (*Session)(nil)

func (s *Session) events(scope audit.Scope) *eventbridge.Client {
	return eventbridge.NewFromConfig(s.cfg, func(o *eventbridge.Options) { o.Region = scope.Region })
}

func (s *Session) functions(scope audit.Scope) *lambda.Client {
	return lambda.NewFromConfig(s.cfg, func(o *lambda.Options) { o.Region = scope.Region })
}

// Rule is part of remediation.Reader.
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_DescribeRule.html
func (s *Session) Rule(ctx context.Context, spec remediation.Spec) (*remediation.Rule, error) {
	client := s.events(spec.Scope)
	out, err := client.DescribeRule(ctx, &eventbridge.DescribeRuleInput{Name: aws.String(spec.RuleName)})
	switch {
	case isNotFound(err):
		return nil, nil
	case err != nil:
		return nil, classify(ctx, err, "events:DescribeRule")
	case aws.ToString(out.Name) != spec.RuleName:
		return nil, classify(ctx, fmt.Errorf("%w: has no rule", errMalformed), "events:DescribeRule")
	}
	rule := &remediation.Rule{
		State:       audit.State(out.State),
		Description: aws.ToString(out.Description),
		ManagedBy:   aws.ToString(out.ManagedBy),
		Schedule:    aws.ToString(out.ScheduleExpression),
		Pattern:     aws.ToString(out.EventPattern),
		RoleARN:     aws.ToString(out.RoleArn),
		Tags:        map[string]string{},
	}
	tags, err := client.ListTagsForResource(ctx, &eventbridge.ListTagsForResourceInput{ResourceARN: aws.String(spec.RuleARN)})
	if isNotFound(err) {
		return nil, nil // deleted in between
	}
	if err != nil {
		return nil, classify(ctx, err, "events:ListTagsForResource")
	}
	for _, t := range tags.Tags {
		rule.Tags[aws.ToString(t.Key)] = aws.ToString(t.Value)
	}
	return rule, nil
}

// Targets is part of remediation.Reader.
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_ListTargetsByRule.html
func (s *Session) Targets(ctx context.Context, spec remediation.Spec) ([]remediation.Target, error) {
	client := s.events(spec.Scope)
	var targets []remediation.Target
	err := pages(func(token *string) (*string, error) {
		out, err := client.ListTargetsByRule(ctx, &eventbridge.ListTargetsByRuleInput{Rule: aws.String(spec.RuleName), NextToken: token})
		if err != nil {
			return nil, err
		}
		if out.Targets == nil {
			return nil, fmt.Errorf("%w: has no list of targets", errMalformed)
		}
		for _, t := range out.Targets {
			targets = append(targets, remediation.Target{ID: aws.ToString(t.Id), ARN: aws.ToString(t.Arn), Plain: isPlain(t)})
		}
		return out.NextToken, nil
	})
	if isNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, classify(ctx, err, "events:ListTargetsByRule")
	}
	return targets, nil
}

// isPlain reports whether a target has nothing but an id and an ARN.
func isPlain(t types.Target) bool {
	return t.Input == nil && t.InputPath == nil && t.InputTransformer == nil && t.RoleArn == nil && t.RetryPolicy == nil && t.DeadLetterConfig == nil
}

// Function is part of remediation.Reader.
// https://docs.aws.amazon.com/lambda/latest/api/API_GetFunction.html
func (s *Session) Function(ctx context.Context, spec remediation.Spec) (remediation.Function, error) {
	client := s.functions(spec.Scope)
	name := aws.String(spec.FunctionName)
	out, err := client.GetFunction(ctx, &lambda.GetFunctionInput{FunctionName: name})
	switch {
	case isNoFunction(err):
		return remediation.Function{}, nil
	case err != nil:
		return remediation.Function{}, classify(ctx, err, "lambda:GetFunction")
	case out.Configuration == nil || aws.ToString(out.Configuration.FunctionArn) == "":
		return remediation.Function{}, classify(ctx, fmt.Errorf("%w: has no function", errMalformed), "lambda:GetFunction")
	}
	function := remediation.Function{Exists: true}
	policy, err := client.GetPolicy(ctx, &lambda.GetPolicyInput{FunctionName: name})
	if isNoFunction(err) {
		return function, nil // no policy yet
	}
	if err == nil {
		function.Statement, err = findStatement(aws.ToString(policy.Policy), spec.StatementID)
	}
	if err != nil {
		return remediation.Function{}, classify(ctx, err, "lambda:GetPolicy")
	}
	return function, nil
}

func isNoFunction(err error) bool {
	var missing *lambdatypes.ResourceNotFoundException
	return errors.As(err, &missing)
}

// Do is part of remediation.Executor.
func (s *Session) Do(ctx context.Context, spec remediation.Spec, a remediation.Action) error {
	service, err := s.do(ctx, spec, a)
	if err == nil {
		return nil
	}
	var api smithy.APIError
	errors.As(err, &api)
	switch failure := classify(ctx, err, service+":"+string(a)); {
	case api == nil:
		return failure
	case api.ErrorCode() == "ResourceNotFoundException", a == remediation.DeleteRule && strings.Contains(api.ErrorMessage(), "has targets"):
		return fmt.Errorf("%w: %w", failure, remediation.ErrNotYet)
	case a == remediation.AddPermission && api.ErrorCode() == "ResourceConflictException":
		return fmt.Errorf("%w: %w", failure, remediation.ErrConflict)
	case api.ErrorCode() == "LimitExceededException": // the SDK takes a full quota for a throttle
		return fmt.Errorf("%s:%s: a quota is full: %s", service, a, oneLine(api.ErrorMessage()))
	default:
		return failure
	}
}

func (s *Session) do(ctx context.Context, spec remediation.Spec, a remediation.Action) (service string, err error) {
	events, functions := s.events(spec.Scope), s.functions(spec.Scope)
	rule, function, statement := aws.String(spec.RuleName), aws.String(spec.FunctionName), aws.String(spec.StatementID)
	service = "events"
	switch a {
	case remediation.PutRule:
		in := &eventbridge.PutRuleInput{
			Name: rule, State: types.RuleStateDisabled, Description: aws.String(spec.Description),
			Tags: []types.Tag{{Key: aws.String(remediation.TagKey), Value: aws.String(remediation.TagValue)}},
		}
		if spec.Schedule != "" {
			in.ScheduleExpression = aws.String(spec.Schedule)
		}
		if spec.Pattern != "" {
			in.EventPattern = aws.String(spec.Pattern)
		}
		_, err = events.PutRule(ctx, in)
	case remediation.PutTargets:
		var out *eventbridge.PutTargetsOutput
		out, err = events.PutTargets(ctx, &eventbridge.PutTargetsInput{
			Rule: rule, Targets: []types.Target{{Id: aws.String(spec.TargetID), Arn: aws.String(spec.FunctionARN)}},
		})
		if err == nil && out.FailedEntryCount > 0 {
			err = refusedEntry(out.FailedEntries, func(e types.PutTargetsResultEntry) (*string, *string) { return e.ErrorCode, e.ErrorMessage })
		}
	case remediation.EnableRule:
		_, err = events.EnableRule(ctx, &eventbridge.EnableRuleInput{Name: rule})
	case remediation.DisableRule:
		_, err = events.DisableRule(ctx, &eventbridge.DisableRuleInput{Name: rule})
		err = unless(isNotFound(err), err)
	case remediation.RemoveTargets:
		var out *eventbridge.RemoveTargetsOutput
		out, err = events.RemoveTargets(ctx, &eventbridge.RemoveTargetsInput{Rule: rule, Ids: []string{spec.TargetID}})
		if err == nil && out.FailedEntryCount > 0 {
			err = refusedEntry(out.FailedEntries, func(e types.RemoveTargetsResultEntry) (*string, *string) { return e.ErrorCode, e.ErrorMessage })
		}
		err = unless(isNotFound(err) || isRefused(err, "ResourceNotFoundException"), err)
	case remediation.DeleteRule:
		_, err = events.DeleteRule(ctx, &eventbridge.DeleteRuleInput{Name: rule})
		err = unless(isNotFound(err), err)
	case remediation.AddPermission:
		service = "lambda"
		_, err = functions.AddPermission(ctx, &lambda.AddPermissionInput{
			FunctionName: function, StatementId: statement, Action: aws.String(remediation.InvokeAction), Principal: aws.String(remediation.Principal),
			SourceArn: aws.String(spec.RuleARN), SourceAccount: aws.String(spec.Scope.Account),
		})
	case remediation.RemovePermission:
		service = "lambda"
		_, err = functions.RemovePermission(ctx, &lambda.RemovePermissionInput{FunctionName: function, StatementId: statement})
		err = unless(isNoFunction(err), err)
	default:
		err = fmt.Errorf("%q is no action that changes anything", a)
	}
	return service, err
}

// refusedEntry is what went wrong with the one entry of a request that was answered with 200 all the same.
func refusedEntry[T any](entries []T, read func(T) (code, message *string)) error {
	refused := &smithy.GenericAPIError{Code: "FailedEntry", Message: "refused without a reason"}
	if len(entries) > 0 {
		code, message := read(entries[0])
		refused.Code, refused.Message = aws.ToString(code), aws.ToString(message)
	}
	return refused
}

func isRefused(err error, code string) bool {
	var refused *smithy.GenericAPIError
	return errors.As(err, &refused) && refused.Code == code
}

func unless(harmless bool, err error) error {
	if harmless {
		return nil
	}
	return err
}

// findStatement reads a Lambda function's policy; nil when it has no statement of that id.
// https://docs.aws.amazon.com/lambda/latest/dg/access-control-resource-based.html
func findStatement(policy, id string) (*remediation.Statement, error) {
	var document struct{ Statement []map[string]json.RawMessage }
	if err := json.Unmarshal([]byte(policy), &document); err != nil {
		return nil, fmt.Errorf("%w: the policy is not JSON", errMalformed)
	}
	for _, fields := range document.Statement {
		if text(fields["Sid"]) == id {
			return readStatement(fields), nil
		}
	}
	return nil, nil
}

func readStatement(fields map[string]json.RawMessage) *remediation.Statement {
	s := &remediation.Statement{}
	for name, raw := range fields {
		switch name {
		case "Sid":
			s.ID = text(raw)
		case "Effect":
			s.Effect = text(raw)
		case "Action":
			s.Action = text(raw)
		case "Resource":
			s.Resource = text(raw)
		case "Principal":
			var principals map[string]json.RawMessage
			if json.Unmarshal(raw, &principals) != nil || len(principals) != 1 {
				s.Other = true
			}
			s.Service = text(principals["Service"])
		case "Condition":
			readCondition(s, raw)
		default:
			s.Other = true
		}
	}
	return s
}

func readCondition(s *remediation.Statement, raw json.RawMessage) {
	var condition map[string]map[string]json.RawMessage
	if json.Unmarshal(raw, &condition) != nil {
		s.Other = true
	}
	for operator, keys := range condition {
		for key, value := range keys {
			switch { // condition keys have no case
			case operator == "ArnLike" && strings.EqualFold(key, "aws:SourceArn"):
				s.SourceARN = text(value)
			case operator == "StringEquals" && strings.EqualFold(key, "aws:SourceAccount"):
				s.SourceAccount = text(value)
			default:
				s.Other = true
			}
		}
	}
}

// text is a JSON string, or the one string of a list; "" for anything else, which then differs from what is wanted.
func text(raw json.RawMessage) string {
	var one string
	if json.Unmarshal(raw, &one) == nil {
		return one
	}
	var list []string
	if json.Unmarshal(raw, &list) == nil && len(list) == 1 {
		return list[0]
	}
	return ""
}
