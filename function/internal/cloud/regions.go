package cloud

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/service/account"
	accounttypes "github.com/aws/aws-sdk-go-v2/service/account/types"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/audit"
)

// Identify asks STS who the session is; it needs no permission. Its error says how to mend the credentials.
func (s *Session) Identify(ctx context.Context) (audit.Identity, error) {
	ctx, cancel := s.question(ctx)
	defer cancel()
	if _, err := s.cfg.Credentials.Retrieve(ctx); err != nil { // asked for apart, so that STS is not blamed
		return audit.Identity{}, s.whoAmIError(&audit.Failure{Reason: audit.InvalidCredentials, Detail: oneLine(err.Error()), Err: err})
	}
	out, err := sts.NewFromConfig(s.cfg).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return audit.Identity{}, s.whoAmIError(classify(ctx, err, "sts:GetCallerIdentity"))
	}
	caller, err := arn.Parse(aws.ToString(out.Arn))
	if err != nil || aws.ToString(out.Account) == "" {
		return audit.Identity{}, fmt.Errorf("AWS credentials: sts:GetCallerIdentity in %s answered without a valid ARN (%q); "+
			"is AWS_ENDPOINT_URL set to something that is not AWS?", s.cfg.Region, oneLine(aws.ToString(out.Arn)))
	}
	return audit.Identity{Account: aws.ToString(out.Account), Partition: caller.Partition, ARN: caller.String()}, nil
}

// whoAmIError says what to do about a session that does not know who it is.
func (s *Session) whoAmIError(failure *audit.Failure) error {
	var missing *credentialsError
	if errors.As(failure, &missing) {
		return fmt.Errorf("AWS credentials: %w; none were found, or they cannot be renewed: run 'aws configure' or 'aws sso login', "+
			"or set AWS_PROFILE", failure)
	}
	if failure.Reason == audit.InvalidCredentials || failure.Reason == audit.AccessDenied || failure.Reason == audit.DeniedBySCP {
		return fmt.Errorf("AWS credentials: %w (asked STS in %s); check AWS_PROFILE or the credentials in the environment, "+
			"and set AWS_REGION to a region of the account's partition", failure, s.cfg.Region)
	}
	at := "STS in " + s.cfg.Region
	if s.cfg.BaseEndpoint != nil {
		at += " at " + oneLine(*s.cfg.BaseEndpoint)
	}
	return fmt.Errorf("AWS does not answer: %w (asked %s); check the network, HTTPS_PROXY, AWS_ENDPOINT_URL and AWS_REGION", failure, at)
}

// ParseIdentity takes the identity from the ARN of a resource of the account, such as the running function.
func ParseIdentity(resource string) (audit.Identity, error) {
	parsed, err := arn.Parse(resource)
	if err != nil {
		return audit.Identity{}, fmt.Errorf("ARN %q: %w", resource, err)
	}
	return audit.Identity{Account: parsed.AccountID, Partition: parsed.Partition, ARN: resource}, nil
}

// RegionListError says that nobody could tell the account's regions, so that there is nothing to audit.
type RegionListError struct{ Problems []string }

func (e *RegionListError) Error() string {
	return "no region list: " + strings.Join(e.Problems, "; ") +
		". Allow account:ListRegions or ec2:DescribeRegions to the role, or name the regions with --regions (REGIONS)"
}

// accountRegion is the region of the account service's one endpoint in a partition. In the other partitions the service
// does not exist.
// https://docs.aws.amazon.com/general/latest/gr/acct-mgmt.html
var accountRegion = map[string]string{"aws": "us-east-1", "aws-cn": "cn-northwest-1"}

// Regions lists the regions of the session's account: from account:ListRegions, else from ec2:DescribeRegions, else the
// named ones, whose opt-in status then nobody knows. Regions of another partition are never in the list, and the list is
// never empty: its error is a *RegionListError.
func (s *Session) Regions(ctx context.Context, id audit.Identity, named []string) (audit.RegionList, error) {
	var problems []string
	try := func(source string, ask func(context.Context) ([]audit.Region, error)) (audit.RegionList, bool) {
		ctx, cancel := s.question(ctx)
		defer cancel()
		regions, err := ask(ctx)
		if err == nil {
			regions, err = inPartition(regions, id.Partition)
		}
		if err == nil {
			return audit.RegionList{Regions: regions, Source: source}, true
		}
		problems = append(problems, classify(ctx, err, source).Detail)
		return audit.RegionList{}, false
	}
	if home, ok := accountRegion[id.Partition]; ok {
		if list, ok := try(audit.SourceAccount, func(ctx context.Context) ([]audit.Region, error) { return s.listRegions(ctx, home) }); ok {
			return list, nil
		}
	}
	list, ok := try(audit.SourceEC2, s.describeRegions)
	if !ok {
		if len(named) == 0 {
			return audit.RegionList{}, &RegionListError{problems}
		}
		list.Source = audit.SourceSettings
		for _, name := range named {
			list.Regions = append(list.Regions, audit.Region{Name: name})
		}
	}
	for _, p := range problems {
		list.Warnings = append(list.Warnings, "region list taken from "+list.Source+", since "+p)
	}
	return list, nil
}

// inPartition drops the regions of other partitions. A name that cannot be one is an error: dropping it would lose a row.
func inPartition(regions []audit.Region, partition string) ([]audit.Region, error) {
	var kept []audit.Region
	for _, r := range regions {
		if len(r.Name) > 63 || !hostLabel.MatchString(r.Name) {
			return nil, fmt.Errorf("%w: lists a region named %q", errMalformed, oneLine(r.Name))
		}
		if audit.PartitionOf(r.Name) == partition {
			kept = append(kept, r)
		}
	}
	if len(kept) == 0 {
		return nil, fmt.Errorf("%w: has no region of partition %s", errMalformed, partition)
	}
	return kept, nil
}

// hostLabel is all that is asked of a region's name: it becomes part of a host's.
var hostLabel = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`)

func (s *Session) listRegions(ctx context.Context, home string) ([]audit.Region, error) {
	client := account.NewFromConfig(s.cfg, func(o *account.Options) { o.Region = home })
	optIn := map[accounttypes.RegionOptStatus]audit.OptIn{
		accounttypes.RegionOptStatusEnabled:          audit.OptInEnabled,
		accounttypes.RegionOptStatusEnabledByDefault: audit.OptInEnabled,
		accounttypes.RegionOptStatusDisabled:         audit.OptInDisabled,
		accounttypes.RegionOptStatusEnabling:         audit.OptInTransitional,
		accounttypes.RegionOptStatusDisabling:        audit.OptInTransitional,
	}
	var regions []audit.Region
	err := pages(func(token *string) (*string, error) {
		out, err := client.ListRegions(ctx, &account.ListRegionsInput{MaxResults: aws.Int32(50), NextToken: token})
		if err != nil {
			return nil, err
		}
		if out.Regions == nil {
			return nil, fmt.Errorf("%w: has no list of regions", errMalformed)
		}
		for _, r := range out.Regions {
			regions = append(regions, audit.Region{Name: aws.ToString(r.RegionName), OptIn: optIn[r.RegionOptStatus]})
		}
		return out.NextToken, nil
	})
	return regions, err
}

func (s *Session) describeRegions(ctx context.Context) ([]audit.Region, error) {
	out, err := ec2.NewFromConfig(s.cfg).DescribeRegions(ctx, &ec2.DescribeRegionsInput{AllRegions: aws.Bool(true)})
	if err != nil {
		return nil, err
	}
	optIn := map[string]audit.OptIn{
		"opt-in-not-required": audit.OptInEnabled, "opted-in": audit.OptInEnabled, "not-opted-in": audit.OptInDisabled,
	}
	regions := make([]audit.Region, 0, len(out.Regions))
	for _, r := range out.Regions {
		regions = append(regions, audit.Region{Name: aws.ToString(r.RegionName), OptIn: optIn[aws.ToString(r.OptInStatus)]})
	}
	return regions, nil
}

var (
	errEndlessPages = errors.New("endless pages")
	// errMalformed says that an answer lacks what every answer of its kind has. The SDK takes an empty or foreign JSON
	// document for an answer with nothing in it, which must not count as "nothing is there".
	errMalformed = errors.New("the answer is malformed")
)

// maxPages bounds a listing: 50 pages hold 5,000 rules, and the quota is 300 a bus.
const maxPages = 50

// pages calls next with each page's token until there is none, and refuses a listing that goes round in a circle.
func pages(next func(token *string) (*string, error)) error {
	var token *string
	seen := map[string]bool{}
	for range maxPages {
		following, err := next(token)
		if err != nil || aws.ToString(following) == "" {
			return err
		}
		if seen[*following] {
			return fmt.Errorf("%w: the same page token came twice", errEndlessPages)
		}
		seen[*following] = true
		token = following
	}
	return fmt.Errorf("%w: stopped after %d pages", errEndlessPages, maxPages)
}
