import { describe, expect, it } from 'vitest';
import { clusterAsked } from '../../../../src/dsql/login/cluster-name.ts';

const ID = 'abcdefghijklmnopqrstuvwxy2';
const OTHER = 'bcdefghijklmnopqrstuvwxy23';
const PUBLIC = `${ID}.dsql.us-east-1.on.aws`;

describe('the cluster that a client means', () => {
  // dsql §1.1, §8.1
  it('is that of the name it asks for in TLS, in any case', () => {
    const asked = { id: ID, hosts: [PUBLIC] };
    expect(clusterAsked(PUBLIC, null, 'us-east-1')).toEqual(asked);
    expect(clusterAsked(PUBLIC.toUpperCase(), null, 'us-east-1')).toEqual(asked);
  });

  // dsql §1.13
  it('may be named by its host at PrivateLink, which tokens are signed for as well', () => {
    const host = `${ID}.dsql-fnh4.us-east-1.on.aws`;
    expect(clusterAsked(host, null, 'us-east-1')).toEqual({ id: ID, hosts: [PUBLIC, host] });
  });

  // dsql §1.12
  it('is that of amzn-cluster-id where the name tells of none, or of another one', () => {
    const asked = { id: ID, hosts: [PUBLIC] };
    expect(clusterAsked('vpce-1.example.com', ID, 'us-east-1')).toEqual(asked);
    expect(clusterAsked(`${OTHER}.dsql.us-east-1.on.aws`, ID, 'us-east-1')).toEqual(asked);
  });

  // dsql §1.1
  it('is unknown for names of other regions, lengths and services', () => {
    for (const name of [
      `${ID}.dsql.eu-west-1.on.aws`,
      `${ID}a.dsql.us-east-1.on.aws`,
      `${ID}.dsql.us-east-1.on.aws.example.com`,
      `x.${PUBLIC}`,
      'localhost',
    ]) {
      expect(clusterAsked(name, null, 'us-east-1'), name).toBeNull();
    }
    expect(clusterAsked('localhost', 'not an id', 'us-east-1')).toBeNull();
  });
});
