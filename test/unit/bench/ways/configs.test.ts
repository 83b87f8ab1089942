import { describe, expect, it } from 'vitest';
import { pgbouncerAbility } from '../../../bench/cases.ts';
import { listeningPort, millraceConfig } from '../../../bench/millrace-process.ts';
import { pgbouncerConfig } from '../../../bench/pgbouncer-process.ts';

const place = {
  login: { user: 'bench', password: 'not-a-secret' },
  address: { port: 20_001, database: 'demo' },
};

describe('the configuration of the gateway', () => {
  it('has one configuration for each pool size', () => {
    const text = millraceConfig(place, [4, 20]);
    expect(text).toContain('name = "pool4"\norigin_connection_limit = 4\n');
    expect(text).toContain('name = "pool20"\norigin_connection_limit = 20\n');
    expect(text.match(/\[configurations\.origin\]/g)).toHaveLength(2);
  });

  it('leaves the port to the system, which the log then tells', () => {
    const log =
      '{"level":40,"msg":"a warning"}\n' +
      '{"level":30,"addresses":[{"address":"127.0.0.1","port":46841}],"msg":"listening"}\n';
    expect(listeningPort(log)).toBe(46_841);
    expect(listeningPort('{"level":30,"port":1,"msg":"draining"}\n')).toBeNull();
  });
});

describe('the configuration of PgBouncer', () => {
  const configOf = (version: string): string =>
    pgbouncerConfig(place, [4, 8], pgbouncerAbility(`PgBouncer ${version}`), 20_002, '/tmp/users');

  it('has one database for each pool size, and asks for SCRAM', () => {
    const text = configOf('1.18.0');
    expect(text).toContain('pool4 = host=127.0.0.1 port=20001 dbname=demo pool_size=4\n');
    expect(text).toContain('pool8 = host=127.0.0.1 port=20001 dbname=demo pool_size=8\n');
    expect(text).toContain('auth_type = scram-sha-256\n');
  });

  it('turns on prepared statements where there are any, since older ones refuse the key', () => {
    expect(configOf('1.18.0')).not.toContain('max_prepared_statements');
    expect(configOf('1.21.0')).toContain('max_prepared_statements');
  });
});
