package sim_test

import (
	"context"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/account"
	accounttypes "github.com/aws/aws-sdk-go-v2/service/account/types"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/sim"
)

func TestListRegions(t *testing.T) {
	tests := map[string]struct {
		in             account.ListRegionsInput
		regions, pages int
	}{
		"all":         {account.ListRegionsInput{}, 34, 1},
		"small pages": {account.ListRegionsInput{MaxResults: aws.Int32(10)}, 34, 4},
		"by default":  {account.ListRegionsInput{RegionOptStatusContains: []accounttypes.RegionOptStatus{"ENABLED_BY_DEFAULT"}}, 17, 1},
		"enabling":    {account.ListRegionsInput{RegionOptStatusContains: []accounttypes.RegionOptStatus{"ENABLING", "DISABLING"}}, 1, 1},
		"own account": {account.ListRegionsInput{AccountId: aws.String("123456789012")}, 34, 1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			pages := account.NewListRegionsPaginator(accountOf(loadWorld(t, "demo")), &tt.in)
			var regions, n int
			for ; pages.HasMorePages(); n++ {
				out, err := pages.NextPage(context.Background())
				if err != nil {
					t.Fatal(err)
				}
				regions += len(out.Regions)
			}
			if regions != tt.regions || n != tt.pages {
				t.Errorf("%d regions on %d pages, want %d on %d", regions, n, tt.regions, tt.pages)
			}
		})
	}
}

func TestListRegionsRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		in   account.ListRegionsInput
		want string
	}{
		"0":               {account.ListRegionsInput{MaxResults: aws.Int32(0)}, "ValidationException"},
		"51":              {account.ListRegionsInput{MaxResults: aws.Int32(51)}, "ValidationException"},
		"token":           {account.ListRegionsInput{NextToken: aws.String("x")}, "ValidationException"},
		"state":           {account.ListRegionsInput{RegionOptStatusContains: []accounttypes.RegionOptStatus{"ON"}}, "ValidationException"},
		"another account": {account.ListRegionsInput{AccountId: aws.String("999999999999")}, "AccessDeniedException"},
	} {
		_, err := accountOf(loadWorld(t, "demo")).ListRegions(context.Background(), &tt.in)
		wantCode(t, name, err, tt.want)
	}
}

func TestGetRegionOptStatus(t *testing.T) {
	w := loadWorld(t, "demo")
	get := func(region string) (string, error) {
		out, err := accountOf(w).GetRegionOptStatus(context.Background(), &account.GetRegionOptStatusInput{RegionName: &region})
		if err != nil {
			return "", err
		}
		return string(out.RegionOptStatus), nil
	}
	if got, err := get("ca-west-1"); got != "ENABLING" {
		t.Error(got, err)
	}
	if err := w.SetOptIn("ca-west-1", sim.OptInEnabled); err != nil {
		t.Fatal(err)
	}
	if got, err := get("ca-west-1"); got != "ENABLED" {
		t.Error(got, err)
	}
	_, err := get("eu-mars-1")
	wantCode(t, "unknown region", err, "ValidationException")
}

func TestDescribeRegions(t *testing.T) {
	filter := func(name string, values ...string) []ec2types.Filter {
		return []ec2types.Filter{{Name: &name, Values: values}}
	}
	for name, tt := range map[string]struct {
		in   ec2.DescribeRegionsInput
		want int
	}{
		"enabled":      {ec2.DescribeRegionsInput{}, 23},
		"all":          {ec2.DescribeRegionsInput{AllRegions: aws.Bool(true)}, 34},
		"opted in":     {ec2.DescribeRegionsInput{Filters: filter("opt-in-status", "opted-in")}, 6},
		"not opted in": {ec2.DescribeRegionsInput{AllRegions: aws.Bool(true), Filters: filter("opt-in-status", "not-opted-in")}, 11},
		"two states":   {ec2.DescribeRegionsInput{Filters: filter("opt-in-status", "opted-in", "opt-in-not-required")}, 23},
		"by name":      {ec2.DescribeRegionsInput{RegionNames: []string{"eu-west-1", "us-east-1"}}, 2},
		"by pattern":   {ec2.DescribeRegionsInput{Filters: filter("region-name", "eu-*")}, 7},
		"by endpoint":  {ec2.DescribeRegionsInput{Filters: filter("endpoint", "ec2.eu-west-1.amazonaws.com")}, 1},
	} {
		out, err := ec2In(loadWorld(t, "demo"), "us-east-1").DescribeRegions(context.Background(), &tt.in)
		if err != nil || len(out.Regions) != tt.want {
			t.Errorf("%s: %d regions, want %d, %v", name, len(out.Regions), tt.want, err)
		}
	}
	c := ec2In(loadWorld(t, "demo"), "us-east-1")
	_, err := c.DescribeRegions(context.Background(), &ec2.DescribeRegionsInput{RegionNames: []string{"eu-mars-1"}})
	wantCode(t, "unknown region", err, "InvalidParameterValue")
	_, err = c.DescribeRegions(context.Background(), &ec2.DescribeRegionsInput{Filters: filter("colour", "red")})
	wantCode(t, "unknown filter", err, "InvalidParameterValue")
}

func TestRegionsThatAreNotEnabledRefuseTheToken(t *testing.T) {
	ctx, w := context.Background(), newWorld(t, sim.Scenario{})
	_, err := ec2In(w, "ap-east-1").DescribeRegions(ctx, &ec2.DescribeRegionsInput{})
	wantCode(t, "ec2", err, "AuthFailure")
	_, err = snsIn(w, "ap-east-1").ListTopics(ctx, &sns.ListTopicsInput{})
	wantCode(t, "sns", err, "InvalidClientTokenId")
	_, err = stsIn(w, "ap-east-1").GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	wantCode(t, "sts", err, "InvalidClientTokenId")
}

func TestGetCallerIdentity(t *testing.T) {
	for want, s := range map[string]sim.Scenario{
		"arn:aws:sts::123456789012:assumed-role/eventbridge-auditor/simulated":        {},
		"arn:aws-cn:sts::111111111111:assumed-role/eventbridge-auditor/simulated":     {Partition: "aws-cn", Account: "111111111111"},
		"arn:aws:iam::123456789012:user/someone":                                      {CallerARN: "arn:aws:iam::123456789012:user/someone"},
		"arn:aws-us-gov:sts::123456789012:assumed-role/eventbridge-auditor/simulated": {Partition: "aws-us-gov"},
	} {
		w := newWorld(t, s)
		out, err := stsIn(w, w.Regions()[len(w.Regions())-1]).GetCallerIdentity(context.Background(), &sts.GetCallerIdentityInput{})
		if err != nil || *out.Arn != want || *out.Account != w.Account() || *out.UserId == "" {
			t.Errorf("%+v, %v, want %s", out, err, want)
		}
	}
}

func TestGovCloudHasNoAccountAPIs(t *testing.T) {
	w := loadWorld(t, "govcloud")
	c := account.NewFromConfig(config(w, "us-gov-west-1"))
	if _, err := c.ListRegions(context.Background(), &account.ListRegionsInput{}); err == nil || !strings.Contains(err.Error(), "no such host") {
		t.Errorf("want no such host, got %v", err)
	}
	out, err := ec2In(w, "us-gov-west-1").DescribeRegions(context.Background(), &ec2.DescribeRegionsInput{})
	if err != nil || len(out.Regions) != 2 || *out.Regions[0].Endpoint != "ec2.us-gov-east-1.amazonaws.com" {
		t.Errorf("%+v, %v", out, err)
	}
}
