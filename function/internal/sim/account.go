package sim

import (
	"net/http"
	"slices"
	"strings"
)

// accountService is AWS Account Management: one endpoint a partition, so that a
// region's opt-in state does not matter to it.
// https://docs.aws.amazon.com/accounts/latest/reference/API_ListRegions.html
var accountService = service{
	protocol: restJSON,
	prefix:   "account",
	paths:    map[string]string{"/listRegions": "ListRegions", "/getRegionOptStatus": "GetRegionOptStatus"},
	operations: map[string]operation{
		"ListRegions":        listRegions,
		"GetRegionOptStatus": getRegionOptStatus,
	},
}

type regionOpt struct {
	RegionName      string
	RegionOptStatus string
}

func listRegions(c *call) (any, *apiError) {
	in, e := decodeJSON[struct {
		AccountID               *string `json:"AccountId"`
		MaxResults              *int
		NextToken               *string
		RegionOptStatusContains []string
	}](c)
	if e != nil {
		return nil, e
	}
	if e := c.ownAccount(in.AccountID); e != nil {
		return nil, e
	}
	size, e := checkLimit(in.MaxResults, "maxResults", 50)
	if e != nil {
		return nil, e
	}
	for _, state := range in.RegionOptStatusContains {
		if !slices.Contains(optInStates, state) {
			return nil, violation("'["+state+"]'", "regionOptStatusContains",
				"Member must satisfy enum value set: ["+strings.Join(optInStates, ", ")+"]")
		}
	}
	regions := []regionOpt{}
	for _, name := range c.world.names {
		r := c.world.regions[scope{c.account, name}]
		if r != nil && (len(in.RegionOptStatusContains) == 0 || slices.Contains(in.RegionOptStatusContains, r.optIn)) {
			regions = append(regions, regionOpt{name, r.optIn})
		}
	}
	part, next, ok := page(c, regions, func(r regionOpt) string { return r.RegionName }, size, text(in.NextToken),
		strings.Join(in.RegionOptStatusContains, ","))
	if !ok {
		return nil, invalid("The NextToken is not valid.")
	}
	return struct {
		NextToken string `json:",omitempty"`
		Regions   []regionOpt
	}{next, emptyList(part)}, nil
}

func getRegionOptStatus(c *call) (any, *apiError) {
	in, e := decodeJSON[struct {
		AccountID  *string `json:"AccountId"`
		RegionName *string
	}](c)
	if e != nil {
		return nil, e
	}
	if e := c.ownAccount(in.AccountID); e != nil {
		return nil, e
	}
	if in.RegionName == nil {
		return nil, violation("null", "regionName", "Member must not be null")
	}
	r := c.world.regions[scope{c.account, *in.RegionName}]
	if r == nil {
		return nil, invalid("The region " + *in.RegionName + " is not valid.")
	}
	return regionOpt{*in.RegionName, r.optIn}, nil
}

// ownAccount refuses questions about other accounts: only an organization's
// management or delegated administrator account may ask them.
func (c *call) ownAccount(id *string) *apiError {
	switch {
	case id == nil || *id == c.account:
		return nil
	case !accountPattern.MatchString(*id):
		return violation("'"+*id+"'", "accountId", `Member must satisfy regular expression pattern: \d{12}`)
	}
	return &apiError{http.StatusForbidden, "AccessDeniedException",
		"User: " + c.caller() + " is not authorized to perform: " + c.action() + " (The account is not the management account or a delegated administrator of an organization.)"}
}

// text is an optional member's value.
func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
