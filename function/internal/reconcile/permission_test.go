package reconcile_test

import (
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/audit"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/notify"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/sim"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/trigger"
)

// notOurs are what Lambda and SNS do with the function's role on its behalf, so that no call of ours shows them.
// Without s3:ListBucket S3 would say that an object that is not there yet is denied.
var notOurs = []string{"kms:Decrypt", "kms:GenerateDataKey*", "logs:CreateLogStream", "logs:PutLogEvents", "sqs:SendMessage", "s3:ListBucket"}

// template is a CloudFormation template, as far as its roles need it.
type template struct {
	root       map[string]yaml.Node
	parameters map[string]string
}

func readTemplate(t *testing.T, file string, parameters map[string]string) template {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", "..", file))
	if err != nil {
		t.Fatal(err)
	}
	var root map[string]yaml.Node
	var declared struct {
		Parameters map[string]struct {
			Default yaml.Node `yaml:"Default"`
		} `yaml:"Parameters"`
	}
	for _, out := range []any{&root, &declared} {
		if err := yaml.Unmarshal(data, out); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
	}
	values := map[string]string{"AWS::Partition": "aws", "AWS::AccountId": "123456789012", "AWS::Region": "us-east-1", "AWS::StackName": "stack", "AlertTopic": topic, "HistoryBucket": "history", "HistoryBucket.Arn": "arn:aws:s3:::history"}
	for name, p := range declared.Parameters {
		values[name] = p.Default.Value
	}
	maps.Copy(values, parameters)
	return template{root, values}
}

// condition evaluates a condition of the template by name.
func (c template) condition(name string) bool {
	for i := 0; i < len(c.root["Conditions"].Content); i += 2 {
		if c.root["Conditions"].Content[i].Value == name {
			return c.value(c.root["Conditions"].Content[i+1]) == "true"
		}
	}
	panic("no condition " + name)
}

// value resolves the intrinsic functions of a node: to a string, a list, a map, or nil for AWS::NoValue.
func (c template) value(n *yaml.Node) any {
	item := func(i int) any { return c.value(n.Content[i]) }
	switch n.Tag {
	case "!Ref":
		if n.Value == "AWS::NoValue" {
			return nil
		}
		if v, ok := c.parameters[n.Value]; ok {
			return v
		}
		return "ref:" + n.Value
	case "!GetAtt":
		if v, ok := c.parameters[n.Value]; ok {
			return v
		}
		return "arn:of:" + n.Value
	case "!Sub":
		text := n.Value
		for name, v := range c.parameters {
			text = strings.ReplaceAll(text, "${"+name+"}", v)
		}
		return text
	case "!If":
		if c.condition(n.Content[0].Value) {
			return item(1)
		}
		return item(2)
	case "!Equals":
		return fmt.Sprint(item(0) == item(1))
	case "!Not":
		return fmt.Sprint(item(0) != "true")
	case "!And":
		return fmt.Sprint(!slices.ContainsFunc(n.Content, func(n *yaml.Node) bool { return c.value(n) != "true" }))
	case "!Condition":
		return fmt.Sprint(c.condition(n.Value))
	case "!Join":
		return strings.Join(texts(item(1)), fmt.Sprint(item(0)))
	case "!Split":
		var parts []any
		for part := range strings.SplitSeq(fmt.Sprint(item(1)), fmt.Sprint(item(0))) {
			parts = append(parts, part)
		}
		return parts
	case "!Select":
		list, at := item(1).([]any), 0
		fmt.Sscan(fmt.Sprint(item(0)), &at)
		return list[min(at, len(list)-1)]
	}
	switch n.Kind {
	case yaml.SequenceNode:
		list := []any{}
		for i := range n.Content {
			if v := item(i); v != nil {
				list = append(list, v)
			}
		}
		return list
	case yaml.MappingNode:
		fields := map[string]any{}
		for i := 0; i < len(n.Content); i += 2 {
			if v := item(i + 1); v != nil {
				fields[n.Content[i].Value] = v
			}
		}
		return fields
	}
	return n.Value
}

// grant is a statement of a role's policies.
type grant struct {
	sid                string
	actions, resources []string
	conditions         map[string]any
}

// anything stands for a resource that does not matter.
const anything = "anything"

func (g grant) allows(action, resource string) bool {
	if resource == anything {
		return slices.Contains(g.actions, action)
	}
	if resource == "" {
		resource = "*"
	}
	matches := func(pattern, value string) bool { // path.Match's * stops at a slash, IAM's does not
		ok, err := path.Match(strings.ReplaceAll(pattern, "/", "\x01"), strings.ReplaceAll(value, "/", "\x01"))
		return ok && err == nil
	}
	return slices.Contains(g.actions, action) && slices.ContainsFunc(g.resources, func(p string) bool { return matches(p, resource) })
}

func (c template) grants(t *testing.T, role string) []grant {
	t.Helper()
	var grants []grant
	var resources map[string]any
	for i := 0; i < len(c.root["Resources"].Content); i += 2 {
		if c.root["Resources"].Content[i].Value == role {
			resources = c.value(c.root["Resources"].Content[i+1]).(map[string]any)
		}
	}
	if resources == nil {
		t.Fatalf("no resource %s", role)
	}
	properties := resources["Properties"].(map[string]any)
	if properties["ManagedPolicyArns"] != nil {
		t.Errorf("%s has managed policies, whose actions nobody here can tell", role)
	}
	for _, policy := range properties["Policies"].([]any) {
		for _, s := range policy.(map[string]any)["PolicyDocument"].(map[string]any)["Statement"].([]any) {
			fields := s.(map[string]any)
			if fields["Effect"] != "Allow" || fields["NotAction"] != nil || fields["NotResource"] != nil {
				t.Errorf("%s: statement %v is not a plain Allow", role, fields["Sid"])
			}
			conditions, _ := fields["Condition"].(map[string]any)
			grants = append(grants, grant{fmt.Sprint(fields["Sid"]), texts(fields["Action"]), texts(fields["Resource"]), conditions})
		}
	}
	return grants
}

func texts(v any) []string {
	if list, ok := v.([]any); ok {
		var all []string
		for _, item := range list {
			all = append(all, fmt.Sprint(item))
		}
		return all
	}
	return []string{fmt.Sprint(v)}
}

// used maps each action of the calls to the resources that it was used on.
func used(calls []sim.Call) map[string]map[string]bool {
	all := map[string]map[string]bool{}
	for _, c := range calls {
		for _, action := range c.Actions {
			service, operation, _ := strings.Cut(action, ":")
			action = strings.ToLower(service) + ":" + operation // case does not matter to IAM, and SNS calls itself SNS
			if all[action] == nil {
				all[action] = map[string]bool{}
			}
			resource := c.Resource
			if strings.HasPrefix(action, "events:List") && action != "events:ListTargetsByRule" && action != "events:ListTagsForResource" {
				resource = "*" // these take no resource
			}
			all[action][resource] = true
		}
	}
	return all
}

// hold compares what was used with what a role may do, both ways.
func hold(t *testing.T, grants []grant, used map[string]map[string]bool) {
	t.Helper()
	allowed := map[string]bool{}
	for _, g := range grants {
		for _, a := range g.actions {
			allowed[a] = true
		}
	}
	for action, resources := range used {
		for resource := range resources {
			if !slices.ContainsFunc(grants, func(g grant) bool { return g.allows(action, resource) }) {
				t.Errorf("the role lacks %s on %s", action, resource)
			}
		}
	}
	for action := range allowed {
		if used[action] == nil && !slices.Contains(notOurs, action) {
			t.Errorf("the role may %s, which nothing uses", action)
		}
	}
}

// Each mode's role allows exactly what the simulated AWS sees of that mode's runs: nothing is missing, nothing is more.
func TestPermissionsOfEachMode(t *testing.T) {
	for _, mode := range []string{"report", "plan", "remediate"} {
		for _, policy := range audit.Policies() {
			t.Run(mode+"/"+string(policy), func(t *testing.T) {
				scenario := `{"topics": ["` + topic + `"], "buckets": ["history", "lists"], "otherRegions": {"functions": [{"name": "LogScheduledEvent"}]}, "regions": {
					"eu-west-2": {"buses": {"default": [{"name": "x", "targets": [{"id": "1", "arn": "arn:aws:sqs:eu-west-2:123456789012:q"}]}]}},
					"eu-west-3": {"functions": [{"name": "LogScheduledEvent"}], "buses": {"default": [{"name": "cc-scheduled-event-rule", "state": "DISABLED",
						"tags": {"eventbridge-auditor": "remediation"},
						"description": "[eventbridge-auditor:remediation] function=LogScheduledEvent statement=cc-scheduled-event target=5 definition=0"}]}}}}`
				w := world(t, scenario, sim.Fault{Operation: "ListRegions", Kind: sim.Deny, Times: 1}) // once by each of the two lists
				o := changing("eu-west-1", "eu-west-2", "eu-west-3")
				o.Audit.Policy = policy
				o.Notify = notify.Options{TopicARN: topic, On: notify.Always}
				o.Store = session(w, "us-east-1").Store("s3://history/eventbridge-auditor")
				o.Exceptions.URL = "s3://lists/our/exceptions.json"
				if err := w.SetObject("lists", "our/exceptions.json", "[]"); err != nil {
					t.Fatal(err)
				}
				o.Action = map[string]trigger.Action{"report": trigger.Audit, "plan": trigger.Plan, "remediate": trigger.Remediate}[mode]
				o.MayChange = mode == "remediate"
				actions := []trigger.Action{o.Action, o.Action, trigger.Plan} // a plan may be asked for in every mode
				if mode == "remediate" {
					actions = append(actions, trigger.Undo)
				}
				for _, a := range actions {
					if _, err := act(t.Context(), w.Client(), o, a); err != nil {
						t.Fatal(err)
					}
				}
				role := readTemplate(t, "template.yaml", map[string]string{"Mode": mode, "CompliancePolicy": string(policy), "Exceptions": "s3://lists/our/exceptions.json"}).grants(t, "AuditorRole")
				hold(t, role, used(w.Calls()))
			})
		}
	}
}

// What changes something is limited to the rule and the function of the parameters.
func TestWritesAreNarrow(t *testing.T) {
	grants := readTemplate(t, "template.yaml", map[string]string{"Mode": "remediate", "RemediationRuleName": "my-rule", "RemediationTargetFunction": "my-function"}).grants(t, "AuditorRole")
	const rule, function = "arn:aws:events:*:123456789012:rule/my-rule", "arn:aws:lambda:*:123456789012:function:my-function"
	writes := 0
	for _, g := range grants {
		for _, a := range g.actions {
			service, operation, _ := strings.Cut(a, ":")
			if service != "events" && service != "lambda" || strings.HasPrefix(operation, "List") {
				continue
			}
			writes++
			if want := map[string]string{"events": rule, "lambda": function}[service]; !slices.Equal(g.resources, []string{want}) {
				t.Errorf("%s is allowed on %v, want %s", a, g.resources, want)
			}
			if a == "events:PutTargets" {
				target := g.conditions["ForAllValues:ArnLike"].(map[string]any)["events:TargetArn"]
				null := g.conditions["Null"].(map[string]any)["events:TargetArn"]
				if target != function || null != "false" {
					t.Errorf("PutTargets under %v", g.conditions)
				}
			}
			if a == "lambda:AddPermission" && g.conditions["StringEquals"].(map[string]any)["lambda:Principal"] != "events.amazonaws.com" {
				t.Errorf("AddPermission under %v", g.conditions)
			}
		}
	}
	if writes != 12 { // DescribeRule, GetFunction and GetPolicy, which only read, among them
		t.Errorf("%d actions on rules and functions", writes)
	}
}

// What is deployed to every region may write its log, and nothing else; the Slack channel may look at alarms.
func TestInfraMayOnlyLog(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("..", "..", "..", "infra", "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		for _, g := range readTemplate(t, filepath.Join("infra", filepath.Base(file)), nil).grants(t, "Role") {
			if filepath.Base(file) == "slack.yaml" {
				if !slices.Equal(g.actions, []string{"cloudwatch:DescribeAlarms", "cloudwatch:GetMetricData"}) {
					t.Errorf("%s: %+v", file, g)
				}
				continue
			}
			if !slices.Equal(g.actions, []string{"logs:CreateLogStream", "logs:PutLogEvents"}) || !slices.Equal(g.resources, []string{"arn:of:LogGroup.Arn"}) {
				t.Errorf("%s: %+v", file, g)
			}
		}
	}
}

// checkPermissions holds the template to the calls of the whole test run, whatever its tests did.
func checkPermissions(m *testing.M) int {
	worlds.Lock()
	defer worlds.Unlock()
	var calls []sim.Call
	for _, w := range worlds.all {
		for _, c := range w.Calls() {
			if c.AccessKey != somebodysKey {
				calls = append(calls, c)
			}
		}
	}
	failed := 0
	ok := testing.RunTests(func(_, _ string) (bool, error) { return true, nil }, []testing.InternalTest{{
		Name: "TestPermissionsOfTheWholeRun",
		F: func(t *testing.T) {
			grants := readTemplate(t, "template.yaml", map[string]string{"Mode": "remediate", "CompliancePolicy": "strict"}).grants(t, "AuditorRole")
			byAction := used(calls)
			for action := range byAction { // tests name rules, functions and topics of their own, so only the actions count
				byAction[action] = map[string]bool{anything: true}
			}
			hold(t, grants, byAction)
			if len(calls) < 1000 {
				t.Errorf("only %d calls: not the whole run", len(calls))
			}
		},
	}})
	if !ok {
		failed = 1
	}
	return failed
}
