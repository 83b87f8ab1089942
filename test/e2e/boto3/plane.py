"""The APIs of AWS by boto3, whose signer is another one than that of the SDKs for JavaScript."""

import json
import sys

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

url, key_id, secret, role_arn = sys.argv[1:]
options = {
    "endpoint_url": url,
    "region_name": "us-east-1",
    "config": Config(retries={"max_attempts": 0}),
}


def client(service, **credentials):
    return boto3.client(service, **options, **credentials)


def refused(work):
    try:
        work()
    except ClientError as error:
        return error
    raise AssertionError("it went well")


mine = {"aws_access_key_id": key_id, "aws_secret_access_key": secret}
dsql = client("dsql", **mine)
sts = client("sts", **mine)

made = dsql.create_cluster(tags={"Name": "ä & b/c"}, deletionProtectionEnabled=True)
cluster, arn = made["identifier"], made["arn"]
dsql.get_waiter("cluster_active").wait(identifier=cluster, WaiterConfig={"Delay": 1})
assert dsql.get_cluster(identifier=cluster)["tags"] == {"Name": "ä & b/c"}
dsql.tag_resource(resourceArn=arn, tags={"a b": "+~*'()"})
dsql.untag_resource(resourceArn=arn, tagKeys=["Name", "x y"])
assert dsql.list_tags_for_resource(resourceArn=arn)["tags"] == {"a b": "+~*'()"}
assert arn in [one["arn"] for one in dsql.list_clusters(maxResults=5)["clusters"]]

error = refused(lambda: dsql.delete_cluster(identifier=cluster))
assert error.response["reason"] == "deletionProtectionEnabled", error.response
dsql.update_cluster(identifier=cluster, deletionProtectionEnabled=False)

statement = {"Effect": "Deny", "Principal": "*", "Action": "dsql:DbConnect", "Resource": "*"}
policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
assert dsql.put_cluster_policy(identifier=cluster, policy=policy)["policyVersion"] == "1"
assert dsql.get_cluster_policy(identifier=cluster)["policy"] == policy

session = sts.assume_role(RoleArn=role_arn, RoleSessionName="boto")["Credentials"]
as_role = {
    "aws_access_key_id": session["AccessKeyId"],
    "aws_secret_access_key": session["SecretAccessKey"],
    "aws_session_token": session["SessionToken"],
}
who = client("sts", **as_role).get_caller_identity()
assert who["Arn"].endswith(":assumed-role/boto-role/boto"), who
error = refused(lambda: client("dsql", **as_role).get_cluster(identifier=cluster))
assert error.response["Error"]["Code"] == "AccessDeniedException", error.response

wrong = client("dsql", aws_access_key_id=key_id, aws_secret_access_key="other")
error = refused(wrong.list_clusters)
assert error.response["Error"]["Code"] == "InvalidSignatureException", error.response

dsql.delete_cluster(identifier=cluster)
dsql.get_waiter("cluster_not_exists").wait(identifier=cluster, WaiterConfig={"Delay": 1})
