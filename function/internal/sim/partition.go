package sim

import (
	"slices"
	"strings"
)

// Opt-in states as account:ListRegions names them. Only the first two let a
// region answer.
// https://docs.aws.amazon.com/accounts/latest/reference/API_Region.html
const (
	OptInEnabledByDefault = "ENABLED_BY_DEFAULT"
	OptInEnabled          = "ENABLED"
	OptInEnabling         = "ENABLING"
	OptInDisabling        = "DISABLING"
	OptInDisabled         = "DISABLED"
)

var optInStates = []string{OptInEnabled, OptInEnabling, OptInDisabling, OptInDisabled, OptInEnabledByDefault}

// partition is one of AWS's separate worlds: its regions, the names in its ARNs
// and hosts, and whether it has the Account Management API.
type partition struct {
	name           string
	suffix         string
	always         []string // regions that every account has
	optIn          []string // regions that an account must enable
	hasAccountAPIs bool
}

var partitions = []partition{
	{
		name:   "aws",
		suffix: "amazonaws.com",
		always: []string{
			"us-east-1", "us-east-2", "us-west-1", "us-west-2", "ap-south-1",
			"ap-northeast-1", "ap-northeast-2", "ap-northeast-3", "ap-southeast-1", "ap-southeast-2",
			"ca-central-1", "eu-central-1", "eu-west-1", "eu-west-2", "eu-west-3", "eu-north-1", "sa-east-1",
		},
		optIn: []string{
			"af-south-1", "ap-east-1", "ap-east-2", "ap-south-2", "ap-southeast-3", "ap-southeast-4",
			"ap-southeast-5", "ap-southeast-6", "ap-southeast-7", "ca-west-1", "eu-central-2", "eu-south-1",
			"eu-south-2", "il-central-1", "me-central-1", "me-south-1", "mx-central-1",
		},
		hasAccountAPIs: true,
	},
	{name: "aws-cn", suffix: "amazonaws.com.cn", always: []string{"cn-north-1", "cn-northwest-1"}, hasAccountAPIs: true},
	{name: "aws-us-gov", suffix: "amazonaws.com", always: []string{"us-gov-east-1", "us-gov-west-1"}},
}

func partitionNamed(name string) (partition, bool) {
	i := slices.IndexFunc(partitions, func(p partition) bool { return p.name == name })
	if i < 0 {
		return partition{}, false
	}
	return partitions[i], true
}

func partitionNames() string {
	var names []string
	for _, p := range partitions {
		names = append(names, p.name)
	}
	return strings.Join(names, ", ")
}

// host is the endpoint's name as EC2 lists it.
func (p partition) host(service, region string) string {
	return service + "." + region + "." + p.suffix
}

// answers says whether a region with this opt-in state serves requests.
func answers(optIn string) bool { return optIn == OptInEnabled || optIn == OptInEnabledByDefault }
