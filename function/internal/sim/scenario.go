package sim

import (
	"encoding/json"
	"fmt"
	"time"
)

// DefaultAccount is the account of a scenario that names none.
const DefaultAccount = "123456789012"

// Scenario is what a [World] starts from. The zero value is an account with the
// commercial partition's regions, no opt-in region enabled and no rule anywhere.
type Scenario struct {
	// Description says in a sentence what the scenario is for.
	Description string `json:"description,omitempty"`
	// Partition is aws (the default), aws-cn or aws-us-gov.
	Partition string `json:"partition,omitempty"`
	// Account is the twelve-digit account; [DefaultAccount] if empty.
	Account string `json:"account,omitempty"`
	// CallerARN is who calls, as STS and access-denied texts tell; a session
	// of an assumed role named eventbridge-auditor if empty.
	CallerARN string `json:"callerArn,omitempty"`
	// Regions holds the regions worth naming. A region that the partition does
	// not have (one newer than this program) must state its OptIn.
	Regions map[string]Region `json:"regions,omitempty"`
	// OtherRegions is what every region of the partition not named in Regions
	// contains. Its OptIn concerns the opt-in regions only.
	OtherRegions *Region `json:"otherRegions,omitempty"`
	// Topics are the ARNs of the SNS topics that exist.
	Topics []string `json:"topics,omitempty"`
	// Buckets are the names of the S3 buckets that exist.
	Buckets []string `json:"buckets,omitempty"`
	// Faults are what goes wrong; the first that matches a call is used.
	Faults []Fault `json:"faults,omitempty"`
	// PageSize is the most that any list answers at once, whatever the caller
	// asks for. 0 leaves it to the caller and the service.
	PageSize int `json:"pageSize,omitempty"`
}

// Region is one region of the account.
type Region struct {
	// OptIn is the opt-in state: ENABLED_BY_DEFAULT for regions that every
	// account has; for the others ENABLED, ENABLING, DISABLING or DISABLED.
	// Empty means ENABLED for an opt-in region that is named in the scenario,
	// DISABLED for one that is not.
	OptIn string `json:"optIn,omitempty"`
	// Buses holds the event buses' rules by bus name. The bus named default
	// always exists.
	Buses map[string][]Rule `json:"buses,omitempty"`
	// Functions are the Lambda functions that exist.
	Functions []Function `json:"functions,omitempty"`
}

// Function is a Lambda function with the statements of its policy.
type Function struct {
	Name       string      `json:"name"`
	Statements []Statement `json:"statements,omitempty"`
}

// Statement lets a principal do something with a function, as AddPermission
// would write it.
type Statement struct {
	ID            string `json:"id"`
	Principal     string `json:"principal"` // a service, or a twelve-digit account
	Action        string `json:"action"`
	SourceARN     string `json:"sourceArn,omitempty"`
	SourceAccount string `json:"sourceAccount,omitempty"`
}

// Rule is an EventBridge rule, or Count of them.
type Rule struct {
	Name string `json:"name"`
	// State is ENABLED if empty. Any upper-case word is taken, so that a state
	// AWS has yet to invent can be simulated.
	State       string `json:"state,omitempty"`
	Description string `json:"description,omitempty"`
	// ManagedBy is the AWS service that owns the rule, as s3.amazonaws.com.
	ManagedBy string `json:"managedBy,omitempty"`
	RoleARN   string `json:"roleArn,omitempty"`
	// ScheduleExpression and EventPattern say when the rule fires. With
	// neither, the rule matches events whose source is com.example.
	ScheduleExpression string  `json:"scheduleExpression,omitempty"`
	EventPattern       Pattern `json:"eventPattern,omitempty"`
	// Count above 0 makes so many rules of this one: nightly-001, nightly-002.
	Count   int               `json:"count,omitempty"`
	Targets []Target          `json:"targets,omitempty"`
	Tags    map[string]string `json:"tags,omitempty"`
}

// Target is where a rule sends its events.
type Target struct {
	ID  string `json:"id"`
	ARN string `json:"arn"`
}

// Pattern is an event pattern: JSON text, written in a scenario either as a
// string, as AWS takes it, or as the object itself.
type Pattern string

// UnmarshalJSON reads a string or an object.
func (p *Pattern) UnmarshalJSON(b []byte) error {
	var text string
	if json.Unmarshal(b, &text) == nil {
		*p = Pattern(text)
		return nil
	}
	var object map[string]json.RawMessage
	if json.Unmarshal(b, &object) != nil {
		return fmt.Errorf("want an event pattern as an object or as a string of JSON")
	}
	*p = Pattern(compact(b))
	return nil
}

// Duration is a time.Duration, written as "200ms" or "1m30s".
type Duration time.Duration

// UnmarshalJSON reads what time.ParseDuration reads.
func (d *Duration) UnmarshalJSON(b []byte) error {
	var text string
	if err := json.Unmarshal(b, &text); err != nil {
		return fmt.Errorf(`want a duration such as "200ms"`)
	}
	v, err := time.ParseDuration(text)
	if err != nil || v < 0 {
		return fmt.Errorf(`%q is not a duration; want one such as "200ms"`, text)
	}
	*d = Duration(v)
	return nil
}

// MarshalJSON writes what UnmarshalJSON reads.
func (d Duration) MarshalJSON() ([]byte, error) { return json.Marshal(time.Duration(d).String()) }

// Parse reads a scenario. It is strict: unknown and repeated keys, wrong types
// and impossible values are errors, all reported at once, each with its place.
func Parse(data []byte) (Scenario, error) {
	if err := checkShape(data); err != nil {
		return Scenario{}, err
	}
	var s Scenario
	if err := json.Unmarshal(data, &s); err != nil {
		return Scenario{}, fmt.Errorf("scenario: %w", err)
	}
	if err := s.validate(); err != nil {
		return Scenario{}, err
	}
	return s, nil
}
