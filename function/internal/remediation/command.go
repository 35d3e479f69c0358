package remediation

import (
	"fmt"
	"strings"
)

// addCommands gives each planned step the AWS CLI command that does the same.
func (r *Region) addCommands() {
	for i := range r.Steps {
		if r.Steps[i].Result == StepPlanned {
			r.Steps[i].Command = r.spec.Command(r.Steps[i].Action)
		}
	}
}

// Command returns the AWS CLI command, for a POSIX shell, that does what the action does.
func (s Spec) Command(a Action) string {
	region := s.Scope.Region
	switch a {
	case PutRule:
		sets := " \\\n  --state DISABLED"
		if s.Schedule != "" {
			sets += " --schedule-expression " + quote(s.Schedule)
		}
		if s.Pattern != "" {
			sets += " \\\n  --event-pattern " + quote(s.Pattern)
		}
		return fmt.Sprintf("aws events put-rule --region %s --name %s%s \\\n  --tags Key=%s,Value=%s \\\n  --description %s",
			region, quote(s.RuleName), sets, TagKey, TagValue, quote(s.Description))
	case AddPermission:
		return fmt.Sprintf("aws lambda add-permission --region %s --function-name %s \\\n  --statement-id %s --action %s \\\n  --principal %s \\\n"+
			"  --source-arn %s \\\n  --source-account %s", region, quote(s.FunctionName), quote(s.StatementID), InvokeAction, Principal, quote(s.RuleARN), s.Scope.Account)
	case PutTargets:
		return noneFailed(fmt.Sprintf("aws events put-targets --region %s --rule %s \\\n  --targets %s", region, quote(s.RuleName), quote("Id="+s.TargetID+",Arn="+s.FunctionARN)))
	case EnableRule:
		return fmt.Sprintf("aws events enable-rule --region %s --name %s", region, quote(s.RuleName))
	case DisableRule:
		return fmt.Sprintf("aws events disable-rule --region %s --name %s", region, quote(s.RuleName))
	case RemoveTargets:
		return noneFailed(fmt.Sprintf("aws events remove-targets --region %s --rule %s --ids %s", region, quote(s.RuleName), quote(s.TargetID)))
	case DeleteRule:
		return fmt.Sprintf("aws events delete-rule --region %s --name %s", region, quote(s.RuleName))
	case RemovePermission:
		return fmt.Sprintf("aws lambda remove-permission --region %s --function-name %s --statement-id %s", region, quote(s.FunctionName), quote(s.StatementID))
	}
	return ""
}

// noneFailed makes a command fail that AWS answers with 200 and a count of failed entries.
func noneFailed(command string) string {
	return `test "$(` + command + ` \
  --query FailedEntryCount --output text)" = 0`
}

// Chain puts commands together so that none is run after one that failed.
func Chain(commands []string) string { return strings.Join(commands, " &&\n") }

// deployCommand deploys the target function to the scope's region.
func (s Spec) deployCommand() string {
	command := fmt.Sprintf("aws cloudformation deploy --region %s --stack-name eventbridge-auditor-target \\\n"+
		"  --template-file infra/regional-target.yaml --capabilities CAPABILITY_IAM", s.Scope.Region)
	if s.FunctionName != DefaultTargetFunction {
		command += " \\\n  --parameter-overrides FunctionName=" + quote(s.FunctionName)
	}
	return command
}

// quote makes a word of the shell out of a text.
func quote(text string) string {
	safe := func(c rune) bool {
		return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("-_./:=,@", c)
	}
	if text != "" && strings.IndexFunc(text, func(c rune) bool { return !safe(c) }) < 0 {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
