package sim

import (
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"
)

// World is one simulated AWS. It may be used by many goroutines at once.
type World struct {
	scenario  Scenario
	partition partition
	account   string
	callerARN string
	names     []string // of all regions, sorted
	now       func() time.Time
	onCall    func(Call)

	mu        sync.Mutex
	keys      map[string]string // account by access key; others get the scenario's
	regions   map[scope]*region
	topics    map[string]*topic
	buckets   map[string]map[string]object
	faults    []*activeFault
	calls     []Call
	published []Published
}

// Options are what a world takes beside its scenario.
type Options struct {
	// Now is the clock for the times in records and answers; time.Now if nil.
	// Delays always take real time, or a synctest bubble's.
	Now func() time.Time
	// OnCall is told of every call when it ends, as Calls has it; calls at once
	// tell at once. May be nil.
	OnCall func(Call)
}

// scope is what state is kept by.
type scope struct{ account, region string }

// region is one account's state in one region.
type region struct {
	optIn     string
	buses     map[string]*bus
	functions map[string]*function
	history   []past // oldest first; see remember
}

// Call is one request that the world has seen.
type Call struct {
	Time      time.Time `json:"time"`
	Account   string    `json:"account"`
	Region    string    `json:"region"`
	Service   string    `json:"service"`   // as in signatures: events
	Operation string    `json:"operation"` // as in the API: ListRules
	// Actions are what a policy must allow for the call, and Resource is the ARN
	// that they concern; "" where only * will do.
	Actions   []string `json:"actions"`
	AccessKey string   `json:"-"` // who called; a stranger's may be real, so it is not shown
	Resource  string   `json:"resource"`
	// Status is the HTTP status of the answer; 0 while there is none, and for
	// good when the connection broke.
	Status int    `json:"status"`
	Code   string `json:"code"`  // the AWS error code, "" for a success
	Fault  string `json:"fault"` // the kind of fault that hit the call, or ""
}

// New makes a world from a scenario, after checking it as [Parse] does.
func New(s Scenario) (*World, error) { return NewWithOptions(s, Options{}) }

// NewWithOptions is New with options.
func NewWithOptions(s Scenario, o Options) (*World, error) {
	if err := s.validate(); err != nil {
		return nil, err
	}
	part, _ := partitionNamed(s.partitionName())
	w := &World{
		scenario: s, partition: part, account: s.Account, callerARN: s.CallerARN, now: o.Now, onCall: o.OnCall,
		keys: map[string]string{}, regions: map[scope]*region{}, topics: map[string]*topic{},
		buckets: map[string]map[string]object{},
	}
	if w.account == "" {
		w.account = DefaultAccount
	}
	if w.callerARN == "" {
		w.callerARN = arn{part.name, "sts", "", w.account, "assumed-role/eventbridge-auditor/simulated"}.String()
	}
	if w.now == nil {
		w.now = time.Now
	}
	for _, t := range s.Topics {
		w.topics[t] = &topic{arn: t}
	}
	for _, name := range s.Buckets {
		w.buckets[name] = map[string]object{}
	}
	for _, f := range s.Faults {
		w.faults = append(w.faults, &activeFault{f, map[scope]int{}})
	}
	w.names = regionNames(part, s)
	for _, name := range w.names {
		w.regions[scope{w.account, name}] = w.newRegion(name)
	}
	return w, nil
}

func regionNames(part partition, s Scenario) []string {
	names := slices.Concat(part.always, part.optIn)
	for name := range s.Regions {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func (w *World) newRegion(name string) *region {
	content, named := w.scenario.Regions[name]
	if !named && w.scenario.OtherRegions != nil {
		content = *w.scenario.OtherRegions
	}
	r := &region{optIn: content.OptIn, buses: map[string]*bus{}, functions: map[string]*function{}}
	switch {
	case slices.Contains(w.partition.always, name):
		r.optIn = OptInEnabledByDefault
	case r.optIn == "" && named:
		r.optIn = OptInEnabled
	case r.optIn == "":
		r.optIn = OptInDisabled
	}
	created := w.now()
	r.buses[defaultBus] = newBus(defaultBus, created)
	for busName, rules := range content.Buses {
		b := newBus(busName, created)
		r.buses[busName] = b
		for _, rule := range rules {
			for _, n := range rule.names() {
				b.rules[n] = newRule(n, rule)
			}
		}
	}
	for _, f := range content.Functions {
		made := &function{name: f.Name}
		functionARN := arn{w.partition.name, "lambda", name, w.account, "function:" + f.Name}.String()
		for _, s := range f.Statements {
			made.statements = append(made.statements, newStatement(functionARN, s, w.partition.name))
		}
		r.functions[f.Name] = made
	}
	return r
}

// Calls returns every call so far, in order of arrival.
func (w *World) Calls() []Call {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.calls)
}

// Published returns every SNS publication so far, in order.
func (w *World) Published() []Published {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.published)
}

// Faults returns the faults, spent ones included.
func (w *World) Faults() []Fault {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []Fault
	for _, f := range w.faults {
		out = append(out, f.Fault)
	}
	return out
}

// AddFault lets something go wrong from now on. Earlier faults come first.
func (w *World) AddFault(f Fault) error {
	if err := f.validate(); err != nil {
		return fmt.Errorf("add fault: %w", err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.faults = append(w.faults, &activeFault{f, map[scope]int{}})
	return nil
}

// ClearFaults lets everything go well from now on.
func (w *World) ClearFaults() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.faults = nil
}

// Account is the account of the scenario.
func (w *World) Account() string { return w.account }

// Regions names all regions of the scenario's account, sorted, enabled or not.
func (w *World) Regions() []string { return slices.Clone(w.names) }

// OptIn is a region's opt-in state; "" if there is no such region.
func (w *World) OptIn(regionName string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if r := w.regions[scope{w.account, regionName}]; r != nil {
		return r.optIn
	}
	return ""
}

// SetOptIn changes a region's opt-in state, as when enabling it has finished.
func (w *World) SetOptIn(regionName, state string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	r := w.regions[scope{w.account, regionName}]
	if r == nil {
		return fmt.Errorf("set opt-in state: no region %q", regionName)
	}
	if !slices.Contains(optInStates, state) {
		return fmt.Errorf("set opt-in state: unknown state %q", state)
	}
	r.optIn = state
	return nil
}

// SetRuleState changes a rule's state behind the API's back.
func (w *World) SetRuleState(regionName, busName, ruleName, state string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	r := w.regions[scope{w.account, regionName}]
	if r == nil || r.buses[busName] == nil || r.buses[busName].rules[ruleName] == nil {
		return fmt.Errorf("set rule state: no rule %q on bus %q in region %q", ruleName, busName, regionName)
	}
	if !statePattern.MatchString(state) {
		return fmt.Errorf("set rule state: %q is not a state", state)
	}
	r.buses[busName].rules[ruleName].State = state
	return nil
}

// Rules returns a region's rules by event bus, each bus's sorted by name. Buses
// without rules are there too.
func (w *World) Rules(regionName string) map[string][]Rule {
	w.mu.Lock()
	defer w.mu.Unlock()
	r := w.regions[scope{w.account, regionName}]
	if r == nil {
		return nil
	}
	out := map[string][]Rule{}
	for name, b := range r.buses {
		out[name] = b.snapshot()
	}
	return out
}

// Statements returns the ids of the statements in the policy of a region's
// Lambda function, in their order; ok is false if there is no such function.
func (w *World) Statements(regionName, functionName string) (ids []string, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	r := w.regions[scope{w.account, regionName}]
	if r == nil || r.functions[functionName] == nil {
		return nil, false
	}
	for _, s := range r.functions[functionName].statements {
		ids = append(ids, s.Sid)
	}
	return ids, true
}

// accountOf is the account that an access key belongs to.
func (w *World) accountOf(accessKey string) string {
	if account, ok := w.keys[accessKey]; ok {
		return account
	}
	return w.account
}

// policyARN is the service control policy that scp faults name.
func (w *World) policyARN() string {
	return arn{w.partition.name, "organizations", "", "111122223333", "policy/o-a1b2c3d4e5/service_control_policy/p-regions01"}.String()
}

// id makes ids that look like AWS's and are the same in every run.
func id(kind, n int) string { return fmt.Sprintf("5e1f0000-%04x-4000-8000-%012x", kind, n) }

var _ http.Handler = (*World)(nil)
