package sim

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

var (
	accountPattern = regexp.MustCompile(`^[0-9]{12}$`)
	regionPattern  = regexp.MustCompile(`^[a-z]{2,4}(-[a-z]+)+-[0-9]+$`)
	bucketPattern  = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)
	statePattern   = regexp.MustCompile(`^[A-Z_]{1,64}$`)
	rulePattern    = regexp.MustCompile(`^[.\-_A-Za-z0-9]{1,64}$`)
	busPattern     = regexp.MustCompile(`^[/.\-_A-Za-z0-9]{1,256}$`)
)

// maxCount keeps a slip of the pen in a scenario from eating the memory.
const maxCount = 100_000

// problems collects what is wrong with a scenario, each with its place.
type problems []error

func (p *problems) add(place, format string, args ...any) {
	*p = append(*p, fmt.Errorf("%s: %s", place, fmt.Sprintf(format, args...)))
}

// validate checks what the types cannot say. Places read like the JSON.
func (s Scenario) validate() error {
	var p problems
	part, ok := partitionNamed(s.partitionName())
	if !ok {
		p.add("scenario.partition", "unknown partition %q; known are %s", s.Partition, partitionNames())
	}
	if s.Account != "" && !accountPattern.MatchString(s.Account) {
		p.add("scenario.account", "%q is not a twelve-digit account", s.Account)
	}
	if s.CallerARN != "" && !isARN(s.CallerARN) {
		p.add("scenario.callerArn", "%q is not an ARN", s.CallerARN)
	}
	if s.PageSize < 0 {
		p.add("scenario.pageSize", "%d is negative", s.PageSize)
	}
	for _, name := range slices.Sorted(maps.Keys(s.Regions)) {
		place := "scenario.regions." + name
		if !regionPattern.MatchString(name) {
			p.add(place, "not a region's name")
		}
		p.region(place, s.Regions[name])
		p.optIn(place, part, name, s.Regions[name].OptIn)
	}
	if s.OtherRegions != nil {
		p.region("scenario.otherRegions", *s.OtherRegions)
		if s.OtherRegions.OptIn == OptInEnabledByDefault {
			p.add("scenario.otherRegions.optIn", "concerns the opt-in regions, and they cannot be ENABLED_BY_DEFAULT")
		}
	}
	for i, topic := range s.Topics {
		if a, ok := parseARN(topic); !ok || a.service != "sns" || a.region == "" || a.account == "" || a.resource == "" {
			p.add(fmt.Sprintf("scenario.topics[%d]", i), "%q is not a topic's ARN", topic)
		}
	}
	for i, name := range s.Buckets {
		if !bucketPattern.MatchString(name) {
			p.add(fmt.Sprintf("scenario.buckets[%d]", i), "%q is not a bucket's name", name)
		}
	}
	for i, f := range s.Faults {
		if err := f.validate(); err != nil {
			p.add(fmt.Sprintf("scenario.faults[%d]", i), "%v", err)
		}
	}
	return errors.Join(p...)
}

func (p *problems) optIn(place string, part partition, name, state string) {
	always, optional := slices.Contains(part.always, name), slices.Contains(part.optIn, name)
	switch {
	case always && state != "" && state != OptInEnabledByDefault:
		p.add(place+".optIn", "%s cannot be switched off; want ENABLED_BY_DEFAULT or nothing, not %q", name, state)
	case optional && state == OptInEnabledByDefault:
		p.add(place+".optIn", "%s is an opt-in region and cannot be ENABLED_BY_DEFAULT", name)
	case !always && !optional && state == "":
		p.add(place, "partition %s has no such region; state its optIn if it is a new one", part.name)
	}
}

func (p *problems) region(place string, r Region) {
	if r.OptIn != "" && !slices.Contains(optInStates, r.OptIn) {
		p.add(place+".optIn", "unknown opt-in state %q; known are %s", r.OptIn, strings.Join(optInStates, ", "))
	}
	p.functions(place, r.Functions)
	for _, name := range slices.Sorted(maps.Keys(r.Buses)) {
		bus := place + ".buses." + name
		if !busPattern.MatchString(name) {
			p.add(bus, "not an event bus's name")
		}
		names := map[string]bool{}
		for i, rule := range r.Buses[name] {
			at := fmt.Sprintf("%s[%d]", bus, i)
			p.rule(at, name, rule)
			if rule.Count > maxCount {
				continue
			}
			for _, n := range rule.names() {
				if names[n] {
					p.add(at+".name", "the bus has another rule named %q", n)
				}
				names[n] = true
			}
		}
	}
}

func (p *problems) functions(place string, functions []Function) {
	names := map[string]bool{}
	for i, f := range functions {
		at := fmt.Sprintf("%s.functions[%d]", place, i)
		if !functionPattern.MatchString(f.Name) {
			p.add(at+".name", "%q is not a function's name", f.Name)
		}
		if names[f.Name] {
			p.add(at+".name", "the region has another function named %q", f.Name)
		}
		names[f.Name] = true
		ids := map[string]bool{}
		for j, s := range f.Statements {
			at := fmt.Sprintf("%s.statements[%d]", at, j)
			if !statementPattern.MatchString(s.ID) || ids[s.ID] {
				p.add(at+".id", "%q is not a statement's id, or stands there twice", s.ID)
			}
			ids[s.ID] = true
			if s.Principal == "" || !actionPattern.MatchString(s.Action) {
				p.add(at, "wants a principal and an action such as lambda:InvokeFunction")
			}
		}
	}
}

func (p *problems) rule(place, bus string, r Rule) {
	switch {
	case r.Name == "":
		p.add(place+".name", "missing")
	case r.Count < 0 || r.Count > maxCount:
		p.add(place+".count", "%d is not between 0 and %d", r.Count, maxCount)
	case !rulePattern.MatchString(r.names()[0]):
		p.add(place+".name", "%q is not a rule's name", r.Name)
	}
	if r.State != "" && !statePattern.MatchString(r.State) {
		p.add(place+".state", "%q is not a state; want ENABLED, DISABLED or another upper-case word", r.State)
	}
	if r.ScheduleExpression != "" && !validSchedule(r.ScheduleExpression) {
		p.add(place+".scheduleExpression", "%q is neither rate(5 minutes) nor a cron of six fields", r.ScheduleExpression)
	}
	if r.ScheduleExpression != "" && bus != defaultBus {
		p.add(place+".scheduleExpression", "only the default event bus takes schedules")
	}
	if r.EventPattern != "" && !isJSONObject(string(r.EventPattern)) {
		p.add(place+".eventPattern", "not a JSON object")
	}
	ids := map[string]bool{}
	for i, t := range r.Targets {
		at := fmt.Sprintf("%s.targets[%d]", place, i)
		if !rulePattern.MatchString(t.ID) {
			p.add(at+".id", "%q is not a target's id", t.ID)
		}
		if ids[t.ID] {
			p.add(at+".id", "the rule has another target with the id %q", t.ID)
		}
		ids[t.ID] = true
		if !isARN(t.ARN) {
			p.add(at+".arn", "%q is not an ARN", t.ARN)
		}
	}
}

func (s Scenario) partitionName() string {
	if s.Partition == "" {
		return "aws"
	}
	return s.Partition
}

// names are the names of the rules that r stands for.
func (r Rule) names() []string {
	if r.Count <= 0 {
		return []string{r.Name}
	}
	width := max(3, len(fmt.Sprint(r.Count)))
	names := make([]string, r.Count)
	for i := range names {
		names[i] = fmt.Sprintf("%s-%0*d", r.Name, width, i+1)
	}
	return names
}
