"""Worlds for moto: regions of every kind that it can hold, once by hand and once at random."""

import concurrent.futures
import functools

import boto3
import botocore.config

from harness import ACCESS_KEY, ACCOUNT, SECRET_KEY

PATTERN = '{"source":["com.example"]}'
PLUMBING = "Runs the audit. [eventbridge-auditor:plumbing]"
REMEDIATION = "Made to mend the region. [eventbridge-auditor:remediation]"
CLOUDTRAIL = "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"


def clients(url):
    """A function of service and region that gives boto3's client of them at url."""
    session = boto3.session.Session()  # one for all: it is what takes time to make
    config = botocore.config.Config(retries={"total_max_attempts": 1}, max_pool_connections=1)

    @functools.cache
    def client(service, region):
        return session.client(
            service, region_name=region, endpoint_url=url, config=config,
            aws_access_key_id=ACCESS_KEY, aws_secret_access_key=SECRET_KEY,
        )

    return client


def rule(name, state="ENABLED", targets=0, bus="default", description="", count=1):
    return {"name": name, "state": state, "targets": targets, "bus": bus, "description": description, "count": count}


def archive(name):
    """An archive makes moto, as AWS, put a rule that EventBridge itself manages: the one way to a ManagedBy here."""
    return {"archive": name}


def off(name, **more):
    return rule(name, state="DISABLED", **more)


# By region. What is not named here has no rule at all.
BY_HAND = {
    "us-east-1": [rule("with-target", targets=1), off("retired", targets=1)],
    "us-east-2": [off("one"), off("two", targets=1), off("cc-scheduled-event-rule", description=REMEDIATION)],
    "us-west-1": [rule("targetless")],
    "us-west-2": [rule("all-events", state=CLOUDTRAIL, targets=1)],
    "eu-west-1": [off("nightly", count=250), rule("zz-last", targets=1)],
    "eu-west-2": [off("nightly", count=250)],
    "eu-west-3": [off("on-default"), rule("order-placed", targets=2, bus="orders")],
    "eu-north-1": [off("old", bus=f"team-{n}", targets=1) for n in range(6)],
    "eu-central-1": [off("old", bus=f"team-{n}") for n in range(6)] + [rule("live", bus="team-6", targets=1)],
    "eu-south-1": [rule("all-events", state=CLOUDTRAIL, bus="orders")],
    "ap-south-1": [rule("auditor-schedule", targets=1, description=PLUMBING), off("own", targets=1)],
    "ap-northeast-1": [rule("cc-scheduled-event-rule", description=REMEDIATION)],
    "ap-northeast-2": [rule("cc-scheduled-event-rule", targets=1, description=REMEDIATION), rule("own", targets=1)],
    "ap-northeast-3": [rule("cc-scheduled-event-rule", targets=1, description=REMEDIATION), archive("all")],
    "ap-southeast-1": [archive("all")],
    "ap-southeast-2": [archive("all"), rule("auditor-schedule", targets=1, description=PLUMBING), off("old")],
    "ap-southeast-3": [archive("all"), rule("targetless")],
    "ca-central-1": [rule("a-targetless", count=105), rule("z-with-target", targets=1)],
    "sa-east-1": [rule("cc-scheduled-event-rule", targets=1, description=REMEDIATION), rule("targetless")],
    "eu-central-2": [rule("in-a-region-not-enabled", targets=1)],
}


def at_random(random, regions):
    """A world of the seeded generator. Most regions get few rules, some get more than a page."""
    names = ("alarm", "backup", "cost", "deploy", "export", "nightly", "report", "zz-last")
    descriptions = ("", "", "", "For the team [eventbridge]", PLUMBING, REMEDIATION)
    world = {}
    for region in regions:
        # Biased, so that every reason comes up: some regions have no active rule, some no rule of the customer's own.
        alive = random.random() < 0.85
        described = random.choice((descriptions,) * 4 + ((PLUMBING,), (REMEDIATION,), (PLUMBING, REMEDIATION)))
        content = []
        for bus in ("default", *random.sample(("orders", "payments", "team.blue"), random.choice((0, 0, 0, 1, 3)))):
            for name in random.sample(names, random.choice((0, 1, 1, 2, 4))):
                state = random.choice(("ENABLED", "DISABLED", "DISABLED", CLOUDTRAIL)) if alive else "DISABLED"
                content.append(rule(name, state, random.choice((0, 0, 1, 2)), bus, random.choice(described)))
        if random.random() < 0.05:
            content.append(off("bulk", count=random.choice((99, 100, 101))))
        if random.random() < 0.15:
            content.append(archive("everything"))
        if random.random() < 0.1:
            content = []
        world[region] = content
    return world


def seed(client, world):
    """Puts a world into moto, several regions at a time."""

    def fill(item):
        region, content = item
        events = client("events", region)
        buses = {"default"}
        for made in content:
            if "archive" in made:
                source = f"arn:aws:events:{region}:{ACCOUNT}:event-bus/default"
                events.create_archive(ArchiveName=made["archive"], EventSourceArn=source)
                continue
            if made["bus"] not in buses:
                events.create_event_bus(Name=made["bus"])
                buses.add(made["bus"])
            put(events, region, made)

    for region in world:
        client("events", region)  # boto3 makes its clients one at a time
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(fill, world.items()))


def put(events, region, made):
    for n in range(made["count"]):
        name = made["name"] if made["count"] == 1 else f"{made['name']}-{n:03}"
        events.put_rule(
            Name=name, EventBusName=made["bus"], State=made["state"], EventPattern=PATTERN, Description=made["description"]
        )
        targets = [
            {"Id": str(t), "Arn": f"arn:aws:lambda:{region}:{ACCOUNT}:function:handler-{t}"} for t in range(made["targets"])
        ]
        if targets:
            events.put_targets(Rule=name, EventBusName=made["bus"], Targets=targets)
