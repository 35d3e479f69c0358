package sim

import "strings"

// stsService is the Security Token Service's answer to "who am I".
// https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
var stsService = service{
	protocol:   awsQuery,
	prefix:     "sts",
	namespace:  "https://sts.amazonaws.com/doc/2011-06-15/",
	operations: map[string]operation{"GetCallerIdentity": getCallerIdentity},
}

func getCallerIdentity(c *call) (any, *apiError) {
	id := "AIDASIMULATEDUSER0001"
	if _, session, ok := strings.Cut(c.caller(), ":assumed-role/"); ok {
		id = "AROASIMULATEDROLE0001:" + session[strings.LastIndex(session, "/")+1:]
	}
	return struct {
		Arn     string
		UserId  string
		Account string
	}{c.caller(), id, c.account}, nil
}
