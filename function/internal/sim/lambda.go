package sim

import (
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

// lambdaService is the sliver of Lambda that says whether a function exists and
// who may invoke it. Functions come from the scenario.
// https://docs.aws.amazon.com/lambda/latest/api/API_AddPermission.html
var lambdaService = service{
	protocol: restJSON,
	prefix:   "lambda",
	route:    lambdaRoute,
	operations: map[string]operation{
		"GetFunction": getFunction, "AddPermission": addPermission, "GetPolicy": getPolicy, "RemovePermission": removePermission,
	},
	statuses: map[string]int{"AddPermission": http.StatusCreated, "RemovePermission": http.StatusNoContent},
}

const lambdaPath = "/2015-03-31/functions/"

// lambdaRoute reads operation, function and statement from method and path.
func lambdaRoute(method string, path string) (string, map[string]string) {
	rest, ok := strings.CutPrefix(path, lambdaPath)
	if !ok {
		return "", nil
	}
	parts := strings.Split(rest, "/")
	for i, p := range parts {
		if decoded, err := url.PathUnescape(p); err == nil {
			parts[i] = decoded
		}
	}
	in := map[string]string{"FunctionName": parts[0]}
	switch {
	case len(parts) == 1 && method == http.MethodGet:
		return "GetFunction", in
	case len(parts) == 2 && parts[1] == "policy" && method == http.MethodGet:
		return "GetPolicy", in
	case len(parts) == 2 && parts[1] == "policy" && method == http.MethodPost:
		return "AddPermission", in
	case len(parts) == 3 && parts[1] == "policy" && method == http.MethodDelete:
		in["StatementId"] = parts[2]
		return "RemovePermission", in
	}
	return "", in
}

// function is a Lambda function with the statements of its policy, in the order
// in which they were added.
type function struct {
	name       string
	statements []statement
}

// statement is what AddPermission puts into a function's policy.
type statement struct {
	Sid       string
	Effect    string
	Principal map[string]string
	Action    string
	Resource  string
	Condition map[string]map[string]string `json:",omitempty"`
}

// maxPolicy is the most bytes that a function's policy takes.
// https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
const maxPolicy = 20 * 1024

var (
	functionPattern  = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,64}$`)
	statementPattern = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,100}$`)
	actionPattern    = regexp.MustCompile(`^(lambda:[*]|lambda:[a-zA-Z]+|[*])$`)
)

func (c *call) functionARN(name string) string {
	return arn{c.world.partition.name, "lambda", c.region, c.account, "function:" + name}.String()
}

// findFunction resolves a function's name, partial ARN or ARN. A function of
// another region is none here.
func (c *call) findFunction() (*function, *apiError) {
	name := c.parameters["FunctionName"]
	missing := &apiError{http.StatusNotFound, "ResourceNotFoundException", "Function not found: " + c.functionARN(name)}
	if a, ok := parseARN(name); ok {
		if a.service != "lambda" || a.region != c.region || a.account != c.account {
			missing.message = "Function not found: " + name
			return nil, missing
		}
		name = strings.TrimPrefix(a.resource, "function:")
	} else if account, rest, ok := strings.Cut(name, ":function:"); ok && account == c.account {
		name = rest
	}
	if !functionPattern.MatchString(name) {
		return nil, violation("'"+name+"'", "functionName", `Member must satisfy regular expression pattern: [a-zA-Z0-9-_]+`)
	}
	if f := c.state().functions[name]; f != nil {
		return f, nil
	}
	missing.message = "Function not found: " + c.functionARN(name)
	return nil, missing
}

func getFunction(c *call) (any, *apiError) {
	f, e := c.findFunction()
	if e != nil {
		return nil, e
	}
	type configuration struct {
		FunctionName, FunctionArn, Runtime, Handler, State, LastUpdateStatus, Version string
	}
	return struct{ Configuration configuration }{configuration{
		f.name, c.functionARN(f.name), "python3.13", "index.handler", "Active", "Successful", "$LATEST"}}, nil
}

func getPolicy(c *call) (any, *apiError) {
	f, e := c.findFunction()
	if e != nil {
		return nil, e
	}
	if len(f.statements) == 0 {
		return nil, &apiError{http.StatusNotFound, "ResourceNotFoundException", "The resource you requested does not exist."}
	}
	return struct{ Policy, RevisionId string }{f.policy(f.statements), id(2, len(f.statements))}, nil
}

func (f *function) policy(statements []statement) string {
	text, _ := json.Marshal(struct { // strings and maps of strings always marshal
		Version   string
		Id        string
		Statement []statement
	}{"2012-10-17", "default", statements})
	return string(text)
}

func addPermission(c *call) (any, *apiError) {
	in, e := decodeJSON[struct{ StatementId, Action, Principal, SourceArn, SourceAccount *string }](c)
	if e != nil {
		return nil, e
	}
	f, e := c.findFunction()
	if e != nil {
		return nil, e
	}
	switch {
	case in.StatementId == nil || !statementPattern.MatchString(*in.StatementId):
		return nil, violation("'"+text(in.StatementId)+"'", "statementId", `Member must satisfy regular expression pattern: ([a-zA-Z0-9-_]+)`)
	case in.Action == nil || !actionPattern.MatchString(*in.Action):
		return nil, violation("'"+text(in.Action)+"'", "action", `Member must satisfy regular expression pattern: (lambda:[*]|lambda:[a-zA-Z]+|[*])`)
	case in.Principal == nil || *in.Principal == "":
		return nil, violation("null", "principal", "Member must not be null")
	case in.SourceArn != nil && !isARN(*in.SourceArn):
		return nil, violation("'"+*in.SourceArn+"'", "sourceArn", "Member must satisfy regular expression pattern: arn:.*")
	case in.SourceAccount != nil && !accountPattern.MatchString(*in.SourceAccount):
		return nil, violation("'"+*in.SourceAccount+"'", "sourceAccount", `Member must satisfy regular expression pattern: \d{12}`)
	}
	for _, s := range f.statements {
		if s.Sid == *in.StatementId {
			return nil, &apiError{http.StatusConflict, "ResourceConflictException", "The statement id (" + s.Sid +
				") provided already exists. Please provide a new statement id, or remove the existing statement."}
		}
	}
	added := newStatement(c.functionARN(f.name), Statement{*in.StatementId, *in.Principal, *in.Action, text(in.SourceArn), text(in.SourceAccount)}, c.world.partition.name)
	statements := append(f.statements[:len(f.statements):len(f.statements)], added)
	if len(f.policy(statements)) > maxPolicy {
		return nil, &apiError{http.StatusBadRequest, "PolicyLengthExceededException", "The final policy size is bigger than the limit (20480)."}
	}
	f.statements = statements
	text, _ := json.Marshal(added)
	return struct{ Statement string }{string(text)}, nil
}

// newStatement writes a statement as Lambda does.
func newStatement(functionARN string, s Statement, partition string) statement {
	out := statement{Sid: s.ID, Effect: "Allow", Principal: map[string]string{"Service": s.Principal}, Action: s.Action, Resource: functionARN}
	if accountPattern.MatchString(s.Principal) {
		out.Principal = map[string]string{"AWS": arn{partition, "iam", "", s.Principal, "root"}.String()}
	}
	condition := map[string]map[string]string{}
	if s.SourceAccount != "" {
		condition["StringEquals"] = map[string]string{"AWS:SourceAccount": s.SourceAccount}
	}
	if s.SourceARN != "" {
		condition["ArnLike"] = map[string]string{"AWS:SourceArn": s.SourceARN}
	}
	if len(condition) > 0 {
		out.Condition = condition
	}
	return out
}

func removePermission(c *call) (any, *apiError) {
	f, e := c.findFunction()
	if e != nil {
		return nil, e
	}
	for i, s := range f.statements {
		if s.Sid == c.parameters["StatementId"] {
			f.statements = append(f.statements[:i:i], f.statements[i+1:]...)
			return nil, nil
		}
	}
	return nil, &apiError{http.StatusNotFound, "ResourceNotFoundException", "Statement " + c.parameters["StatementId"] + " is not found in resource policy."}
}
