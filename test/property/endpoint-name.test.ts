import fc from 'fast-check';
import { expect, it } from 'vitest';
import { readEndpointName } from '../../src/aws/endpoint-name.ts';

const name = fc.stringMatching(/^[a-z]([a-z0-9-]{0,20}[a-z0-9])?$/);
const domain = fc.stringMatching(/^[a-z0-9]{1,14}$/);
const region = fc.constantFrom('us-east-1', 'eu-central-2', 'ap-southeast-7', 'us-gov-west-1');
const prefix = fc.constantFrom(
  ['', 'instance'],
  ['cluster-', 'cluster'],
  ['cluster-ro-', 'reader'],
  ['cluster-custom-', 'custom'],
  ['proxy-', 'proxy'],
  ['shardgrp-', 'limitless'],
);

it('reads back every part of a name of RDS, in both orders', () => {
  fc.assert(
    fc.property(name, prefix, domain, region, fc.boolean(), (own, [text, kind], id, at, old) => {
      const host = `${own}.${text}${id}.${old ? `rds.${at}` : `${at}.rds`}.amazonaws.com`;
      expect(readEndpointName(host)).toMatchObject({
        kind,
        host,
        name: own,
        domain: id,
        region: at,
      });
    }),
  );
});

it('leads from every endpoint of a cluster to names of instances', () => {
  fc.assert(
    fc.property(name, prefix, domain, region, name, (own, [text], id, at, other) => {
      const host = `${own}.${text}${id}.${at}.rds.amazonaws.com`;
      const pattern = readEndpointName(host)?.instancePattern ?? null;
      if (pattern === null) return;
      const instance = readEndpointName(pattern.replace('?', other));
      expect(instance).toMatchObject({ kind: 'instance', name: other, domain: id, region: at });
    }),
  );
});

it('takes nothing for a name of AWS that has another label behind or a broken one within', () => {
  fc.assert(
    fc.property(name, domain, region, fc.domain(), (own, id, at, behind) => {
      expect(readEndpointName(`${own}.${id}.${at}.rds.amazonaws.com.${behind}`)).toBeNull();
      expect(readEndpointName(`${own}.${id}_.${at}.rds.amazonaws.com`)).toBeNull();
      expect(readEndpointName(`${own}..${at}.rds.amazonaws.com`)).toBeNull();
    }),
  );
});

it('gives an answer for any text, soon', () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 2_000 }), (text) => {
      readEndpointName(`${text}.rds.amazonaws.com`);
      readEndpointName(`${text}.on.aws`);
    }),
  );
});
