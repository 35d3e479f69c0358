package audit

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Scope is the unit of work: one region of one account.
type Scope struct {
	Account string // 12 digits
	Region  string // such as "eu-west-1"
}

// String returns "account/region".
func (s Scope) String() string { return s.Account + "/" + s.Region }

// Identity is who audits.
type Identity struct {
	Account   string // 12 digits
	Partition string // such as "aws", taken from a real ARN, never from a list
	ARN       string // of the caller, or of the function that runs
}

// OptIn says whether an account uses a region, as AWS told it.
type OptIn string

const (
	OptInUnknown      OptIn = ""             // nobody could say: the region is asked, and a refused token proves nothing
	OptInEnabled      OptIn = "enabled"      // by default or by choice
	OptInDisabled     OptIn = "disabled"     // an opt-in region that the account has not enabled
	OptInTransitional OptIn = "transitional" // being enabled or disabled right now
)

// Region is an entry of the account's own region list.
type Region struct {
	Name  string
	OptIn OptIn
}

// The sources of a region list, as Record.coverage.regionSource names them.
const (
	SourceAccount  = "account:ListRegions"
	SourceEC2      = "ec2:DescribeRegions"
	SourceSettings = "--regions"
)

// RegionList is what AWS says the account has.
type RegionList struct {
	Regions  []Region
	Source   string   // SourceAccount, SourceEC2 or SourceSettings
	Warnings []string // why a better source did not answer
}

// Selection narrows a run. The zero value selects every region.
type Selection struct {
	Only    []string // region names; empty means all
	Exclude []string // these keep their row, as EXCLUDED, and are never asked
}

// Candidate is a scope before anybody asked it anything.
type Candidate struct {
	Scope
	OptIn     OptIn
	Excluded  bool
	Exemption string // the words of the exception that covers the scope; "" means none
}

// A SelectionError names every region of a Selection that the account's partition does not have.
type SelectionError struct{ Problems []string }

func (e *SelectionError) Error() string { return strings.Join(e.Problems, "\n") }

// Select turns the region list of an account into candidates, sorted by region. A region that the list does not have is
// an error, since a misspelt name would otherwise drop a region from the audit without a word.
func Select(id Identity, list RegionList, selection Selection) ([]Candidate, error) {
	known := make(map[string]OptIn, len(list.Regions))
	names := make([]string, 0, len(list.Regions))
	for _, r := range list.Regions {
		if _, twice := known[r.Name]; !twice {
			names = append(names, r.Name)
		}
		known[r.Name] = r.OptIn
	}
	slices.Sort(names)

	var problems []string
	check := func(setting string, regions []string) {
		for _, name := range regions {
			if p := PartitionOf(name); p != id.Partition {
				problems = append(problems, fmt.Sprintf("%s: %q is in partition %s, the account is in %s", setting, name, p, id.Partition))
				continue
			}
			if _, ok := known[name]; ok {
				continue
			}
			problem := fmt.Sprintf("%s: the account has no region %q", setting, name)
			if guess := Nearest(name, names); guess != "" {
				problem += fmt.Sprintf("; did you mean %q?", guess)
			} else {
				problem += fmt.Sprintf("; %s lists %d regions, such as %s", list.Source, len(names), strings.Join(names[:min(3, len(names))], ", "))
			}
			problems = append(problems, problem)
		}
	}
	check("regions", selection.Only)
	if list.Source == SourceSettings { // that list is the selection itself: nothing to hold an exclusion against
		for _, name := range selection.Exclude {
			if _, listed := known[name]; !listed {
				known[name] = OptInUnknown
			}
		}
	}
	check("exclude-regions", selection.Exclude)
	if problems != nil {
		return nil, &SelectionError{problems}
	}

	if len(selection.Only) > 0 {
		names = slices.Compact(slices.Sorted(slices.Values(selection.Only)))
	}
	candidates := make([]Candidate, 0, len(names))
	for _, name := range names {
		candidates = append(candidates, Candidate{
			Scope:    Scope{Account: id.Account, Region: name},
			OptIn:    known[name],
			Excluded: slices.Contains(selection.Exclude, name),
		})
	}
	slices.SortFunc(candidates, func(a, b Candidate) int { return cmp.Compare(a.Region, b.Region) })
	return candidates, nil
}

var regionName = regexp.MustCompile(`^[a-z]{2,8}(-[a-z]{2,16}){1,3}-[1-9][0-9]?$`)

// IsRegionName reports whether name has the form of a region's name. It does not ask whether the region exists: regions
// come from AWS, so that a new one needs no release.
func IsRegionName(name string) bool { return regionName.MatchString(name) }

// partitions maps a region's prefix to its partition; what fits none is commercial.
// https://docs.aws.amazon.com/general/latest/gr/aws-arns-and-namespaces.html
var partitions = []struct{ prefix, partition, console string }{
	{"cn-", "aws-cn", "console.amazonaws.cn"},
	{"us-gov-", "aws-us-gov", "console.amazonaws-us-gov.com"},
	{"us-isof-", "aws-iso-f", ""},
	{"us-isob-", "aws-iso-b", ""},
	{"us-iso-", "aws-iso", ""},
	{"eu-isoe-", "aws-iso-e", ""},
	{"eusc-", "aws-eusc", "console.amazonaws-eusc.eu"},
}

// PartitionOf returns the partition of a region by its name, for instance "aws-cn" for "cn-north-1".
func PartitionOf(region string) string {
	for _, p := range partitions {
		if strings.HasPrefix(region, p.prefix) {
			return p.partition
		}
	}
	return "aws"
}

// ConsoleURL returns the address of the scope's rules in the AWS console, "" where the partition's console has no public
// address.
func (s Scope) ConsoleURL() string {
	host := s.Region + ".console.aws.amazon.com"
	for _, p := range partitions {
		if strings.HasPrefix(s.Region, p.prefix) {
			if p.console == "" {
				return ""
			}
			host = p.console
			break
		}
	}
	return "https://" + host + "/events/home?region=" + s.Region + "#/rules"
}
