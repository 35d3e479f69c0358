package sim

import (
	"cmp"
	"fmt"
	"net/http"
	"path"
	"slices"
	"strings"
)

// ec2Service is the sliver of EC2 that names regions.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeRegions.html
var ec2Service = service{
	protocol:   ec2Query,
	prefix:     "ec2",
	namespace:  "http://ec2.amazonaws.com/doc/2016-11-15/",
	operations: map[string]operation{"DescribeRegions": describeRegions},
}

type ec2Region struct {
	Name     string `xml:"regionName"`
	Endpoint string `xml:"regionEndpoint"`
	OptIn    string `xml:"optInStatus"`
}

func describeRegions(c *call) (any, *apiError) {
	filters, e := ec2Filters(c)
	if e != nil {
		return nil, e
	}
	if c.form.Get("DryRun") == "true" {
		return nil, &apiError{http.StatusPreconditionFailed, "DryRunOperation", "Request would have succeeded, but DryRun flag is set."}
	}
	names := c.list("RegionName.")
	for _, name := range names {
		if c.world.regions[scope{c.account, name}] == nil {
			return nil, &apiError{http.StatusBadRequest, "InvalidParameterValue", "Invalid region name: " + name}
		}
	}
	all := c.form.Get("AllRegions") == "true"
	var out struct {
		Regions []ec2Region `xml:"regionInfo>item"`
	}
	for _, name := range c.world.names {
		r := c.world.regions[scope{c.account, name}]
		if r == nil || len(names) > 0 && !slices.Contains(names, name) {
			continue
		}
		item := ec2Region{Name: name, Endpoint: c.world.partition.host("ec2", name), OptIn: ec2OptIn(r.optIn)}
		if (all || answers(r.optIn)) && filters.match(item) {
			out.Regions = append(out.Regions, item)
		}
	}
	return out, nil
}

// ec2OptIn is an opt-in state in EC2's words, which has none for a region on
// its way in or out.
func ec2OptIn(state string) string {
	switch state {
	case OptInEnabledByDefault:
		return "opt-in-not-required"
	case OptInEnabled:
		return "opted-in"
	}
	return "not-opted-in"
}

type ec2Filter map[string][]string

// ec2Filters reads Filter.N.Name and Filter.N.Value.M.
func ec2Filters(c *call) (ec2Filter, *apiError) {
	filters := ec2Filter{}
	for n := 1; ; n++ {
		prefix := fmt.Sprintf("Filter.%d.", n)
		if !c.form.Has(prefix + "Name") {
			return filters, nil
		}
		name := c.form.Get(prefix + "Name")
		if !slices.Contains([]string{"opt-in-status", "region-name", "endpoint"}, name) {
			return nil, &apiError{http.StatusBadRequest, "InvalidParameterValue", "The filter '" + name + "' is invalid"}
		}
		filters[name] = append(filters[name], c.list(prefix+"Value.")...)
	}
}

func (f ec2Filter) match(r ec2Region) bool {
	value := map[string]string{"opt-in-status": r.OptIn, "region-name": r.Name, "endpoint": r.Endpoint}
	for name, patterns := range f {
		if !slices.ContainsFunc(patterns, func(p string) bool {
			ok, err := path.Match(p, value[name])
			return ok && err == nil
		}) {
			return false
		}
	}
	return true
}

// list reads a query protocol's list: prefix1, prefix2 and so on.
func (c *call) list(prefix string) []string {
	type numbered struct {
		n     int
		value string
	}
	var found []numbered
	for key, values := range c.form {
		rest, ok := strings.CutPrefix(key, prefix)
		var n int
		if _, err := fmt.Sscanf(rest, "%d", &n); !ok || err != nil || rest != fmt.Sprint(n) {
			continue
		}
		found = append(found, numbered{n, values[0]})
	}
	slices.SortFunc(found, func(a, b numbered) int { return cmp.Compare(a.n, b.n) })
	var out []string
	for _, f := range found {
		out = append(out, f.value)
	}
	return out
}
