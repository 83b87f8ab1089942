import { describe, expect, it } from 'vitest';
import { type EndpointName, readEndpointName } from '../../../src/aws/endpoint-name.ts';

const told = (host: string): Partial<EndpointName> | null => {
  const name = readEndpointName(host);
  return name === null ? null : { kind: name.kind, name: name.name, region: name.region };
};

const ID = 'abcdefghijklmnopqrstuvwxyz';

describe('the name of an endpoint', () => {
  // dsql §1.1, §1.2
  it.each([
    ['db1.xyz123.us-east-1.rds.amazonaws.com', 'instance', 'db1', 'us-east-1'],
    ['main.cluster-xyz123.eu-central-1.rds.amazonaws.com', 'cluster', 'main', 'eu-central-1'],
    ['main.cluster-ro-xyz123.us-east-1.rds.amazonaws.com', 'reader', 'main', 'us-east-1'],
    ['bi.cluster-custom-xyz123.us-east-1.rds.amazonaws.com', 'custom', 'bi', 'us-east-1'],
    ['front.proxy-xyz123.us-east-1.rds.amazonaws.com', 'proxy', 'front', 'us-east-1'],
    ['ro.endpoint.proxy-xyz123.us-east-1.rds.amazonaws.com', 'proxy', 'ro', 'us-east-1'],
    ['wide.shardgrp-xyz123.us-east-2.rds.amazonaws.com', 'limitless', 'wide', 'us-east-2'],
    ['world.global-xyz123.global.rds.amazonaws.com', 'global', 'world', null],
    [`${ID}.dsql.us-east-1.on.aws`, 'dsql', ID, 'us-east-1'],
    [`${ID}.dsql-fnh4.ap-northeast-1.on.aws`, 'dsql', ID, 'ap-northeast-1'],
    ['DB1.XYZ123.US-EAST-1.RDS.AMAZONAWS.COM.', 'instance', 'db1', 'us-east-1'],
  ])('%s is of the kind %s', (host, kind, name, region) => {
    expect(told(host)).toEqual({ kind, name, region });
  });

  it.each([
    ['db.xyz.us-gov-west-1.rds.amazonaws.com', 'aws-us-gov', 'us-gov-west-1'],
    ['db.xyz.rds.us-gov-east-1.amazonaws.com', 'aws-us-gov', 'us-gov-east-1'],
    ['db.xyz.rds.cn-north-1.amazonaws.com.cn', 'aws-cn', 'cn-north-1'],
    ['db.xyz.cn-northwest-1.rds.amazonaws.com.cn', 'aws-cn', 'cn-northwest-1'],
    ['db.xyz.rds.us-iso-east-1.c2s.ic.gov', 'aws-iso', 'us-iso-east-1'],
    ['db.xyz.rds.us-isob-east-1.sc2s.sgov.gov', 'aws-iso-b', 'us-isob-east-1'],
    ['db.xyz.eusc-de-east-1.rds.amazonaws.eu', 'aws-eusc', 'eusc-de-east-1'],
    ['db.xyz.mx-central-1.rds.amazonaws.com', 'aws', 'mx-central-1'],
  ])('%s is in the partition %s', (host, partition, region) => {
    expect(readEndpointName(host)).toMatchObject({ kind: 'instance', partition, region });
  });

  it('leads to the instances of its cluster, in the order of its partition', () => {
    const pattern = (host: string) => readEndpointName(host)?.instancePattern;
    for (const prefix of ['', 'cluster-', 'cluster-ro-', 'cluster-custom-']) {
      expect(pattern(`main.${prefix}xyz.us-east-1.rds.amazonaws.com`)).toBe(
        '?.xyz.us-east-1.rds.amazonaws.com',
      );
    }
    expect(pattern('main.cluster-xyz.rds.cn-north-1.amazonaws.com.cn')).toBe(
      '?.xyz.rds.cn-north-1.amazonaws.com.cn',
    );
    expect(pattern('front.proxy-xyz.us-east-1.rds.amazonaws.com')).toBeNull();
    expect(pattern('world.global-xyz.global.rds.amazonaws.com')).toBeNull();
    expect(pattern(`${ID}.dsql.us-east-1.on.aws`)).toBeNull();
  });

  it('shows the side of a blue/green deployment', () => {
    const side = (name: string) =>
      readEndpointName(`${name}.xyz.us-east-1.rds.amazonaws.com`)?.deployment;
    expect(side('main-green-a1b2c3')).toBe('green');
    expect(side('main-old1')).toBe('old');
    expect(side('main')).toBeNull();
    expect(side('main-green-a1b2')).toBeNull();
    expect(side('marigold1')).toBeNull();
  });

  it.each([
    'localhost',
    '10.0.0.1',
    '::1',
    'db.example.com',
    'rds.amazonaws.com',
    'us-east-1.rds.amazonaws.com',
    'xyz.us-east-1.rds.amazonaws.com',
    'a.b.xyz.us-east-1.rds.amazonaws.com',
    'db.xyz.us-east-1.rds.amazonaws.com.evil.test',
    'db.xyz.us-east-1.rds.evilamazonaws.com',
    'db.xyz.nowhere.rds.amazonaws.com',
    'db.xyz.us-east-1.s3.amazonaws.com',
    'db.cluster-.us-east-1.rds.amazonaws.com',
    'db.xyz.global.rds.amazonaws.com',
    'db.cluster-xyz.global.rds.amazonaws.com',
    'db.global-xyz.us-east-1.rds.amazonaws.com',
    '-db.xyz.us-east-1.rds.amazonaws.com',
    'ro.other.proxy-xyz.us-east-1.rds.amazonaws.com',
    'short.dsql.us-east-1.on.aws',
    `${ID}.lambda-url.us-east-1.on.aws`,
    `x.${ID}.dsql.us-east-1.on.aws`,
    `${ID}.dsql.us-east-1.on.aws.evil.test`,
  ])('%s is none', (host) => {
    expect(readEndpointName(host)).toBeNull();
  });
});
