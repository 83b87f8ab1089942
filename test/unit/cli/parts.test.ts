import { EventEmitter } from 'node:events';
import { describe, expect, it } from 'vitest';
import { GatewayError } from '../../../src/base/errors.ts';
import { readyJson, readyText } from '../../../src/cli/dev/connection-strings.ts';
import { demoOrigin, devConfig } from '../../../src/cli/dev/dev-options.ts';
import { onFirstFreePort } from '../../../src/cli/dev/first-free-port.ts';
import { shellQuote } from '../../../src/cli/dev/shell-quote.ts';
import { describeFailure } from '../../../src/cli/failure.ts';
import { StopSignals, signalExitCode } from '../../../src/cli/stop-signals.ts';
import { stopGateway } from '../../../src/cli/stopping.ts';

const taken = () =>
  new GatewayError('MR_LISTEN_FAILED', {
    subject: '127.0.0.1',
    cause: Object.assign(new Error('listen'), { code: 'EADDRINUSE' }),
  });

describe('the first free port', () => {
  it('is taken when earlier ones are in use', async () => {
    const start = async (port: number) => {
      if (port < 5434) throw taken();
      return 'up';
    };
    expect(await onFirstFreePort(5432, start)).toEqual({ started: 'up', port: 5434 });
  });

  it('is not searched after another failure', async () => {
    const tried: number[] = [];
    const start = async (port: number) => {
      tried.push(port);
      throw new GatewayError('MR_LISTEN_FAILED', { subject: 'x', cause: { code: 'EACCES' } });
    };
    await expect(onFirstFreePort(5432, start)).rejects.toThrow('cannot listen');
    expect(tried).toEqual([5432]);
  });

  it('is given up on after a hundred, and at the last port', async () => {
    const tried: number[] = [];
    const start = async (port: number) => {
      tried.push(port);
      throw taken();
    };
    await expect(onFirstFreePort(5432, start)).rejects.toThrow('cannot listen');
    expect(tried).toHaveLength(100);
    await expect(onFirstFreePort(65_535, start)).rejects.toThrow('cannot listen');
    expect(tried).toHaveLength(101);
  });
});

describe('what dev prints', () => {
  const url = 'postgres://u:p@127.0.0.1:1/d';
  const origin = { url, adminUrl: null };
  const gateway = { port: 1, host: '127.0.0.1', url };
  const ready = { gateway, origin, aurora: null, api: null, dsql: null };
  const api = { url: 'http://127.0.0.1:2/client/v4', token: 't' };
  const plain = { bold: (text: string) => text, dim: (text: string) => text };

  it('is one line of JSON with its keys in order', () => {
    expect(readyJson(ready)).toBe(
      `{"gateway":{"url":"${url}","host":"127.0.0.1","port":1},"origin":{"url":"${url}"}}\n`,
    );
  });

  it('has the API behind the rest when there is one', () => {
    const line = readyJson({ ...ready, api });
    expect(line).toBe(`${readyJson(ready).slice(0, -2)},"api":${JSON.stringify(api)}}\n`);
  });

  it('has the cluster of --like aurora, and how to see a failover', () => {
    const instance = (n: number) => ({
      name: `demo-instance-${n}`,
      host: `demo-instance-${n}.example`,
      address: `127.0.0.2${n}`,
      processId: 100 + n,
      isWriter: n === 2,
    });
    const aurora = {
      writerEndpoint: 'writer.example',
      readerEndpoint: 'reader.example',
      port: 7,
      dnsServer: '127.0.0.1:53',
      caFile: '/tmp/home/ca.crt',
      instances: [instance(1), instance(2)],
    };
    const line = readyJson({ ...ready, aurora, api });
    expect(Object.keys(JSON.parse(line))).toEqual(['gateway', 'origin', 'aurora', 'api']);
    expect(JSON.parse(line).aurora).toEqual(aurora);
    const text = readyText({ ...ready, aurora }, plain);
    expect(text).toContain('  demo-instance-2  writer  127.0.0.22:7  process 102\n');
    expect(text).toContain('  authority of its certificates  /tmp/home/ca.crt\n');
    expect(text).toContain('  kill -9 102\n');
  });

  it('has the DSQL endpoint under the keys that scripts read, and commands to paste', () => {
    const dsql = {
      endpoint: 'abc.dsql.us-east-1.on.aws',
      host: '127.0.0.2',
      port: 5432,
      region: 'us-east-1',
      ca_file: '/data/ca.pem',
      access_key_id: 'AKIAEXAMPLE',
      secret_access_key: 'secret',
      api_url: 'http://127.0.0.1:5433',
    };
    const line = readyJson({ ...ready, api, dsql });
    expect(Object.keys(JSON.parse(line))).toEqual(['gateway', 'origin', 'api', 'dsql']);
    expect(JSON.parse(line).dsql).toEqual(dsql);
    const text = readyText({ ...ready, dsql }, plain);
    expect(text).toContain("psql 'host=abc.dsql.us-east-1.on.aws hostaddr=127.0.0.2 port=5432");
    expect(text).toContain('    127.0.0.2 abc.dsql.us-east-1.on.aws\n');
    expect(text).toContain("AWS_ENDPOINT_URL_STS='http://127.0.0.1:5433'");
    expect(readyText({ ...ready, dsql: { ...dsql, api_url: null } }, plain)).not.toContain('STS');
  });

  it('has the superuser of the embedded PostgreSQL behind the URL of the origin', () => {
    const adminUrl = 'postgres://postgres:s@127.0.0.1:1/d';
    const line = readyJson({ ...ready, origin: { url, adminUrl } });
    expect(JSON.parse(line).origin).toEqual({ url, adminUrl });
    expect(readyText({ ...ready, origin: { url, adminUrl } }, plain)).toContain(
      `Origin, as its superuser\n  psql '${adminUrl}'\n`,
    );
    expect(readyText(ready, plain)).not.toContain('superuser');
  });

  it('can be pasted into a shell', () => {
    expect(shellQuote(`it's`)).toBe(`'it'\\''s'`);
    expect(readyText(ready, plain)).toContain(`  psql '${url}'\n`);
  });

  it('lets clients in with the password of the origin, or millrace', () => {
    const origin = demoOrigin({ host: 'h', port: 1 });
    const credentials = (password: string | null) =>
      devConfig({ ...origin, password }, 0).configurations[0]?.credentials;
    expect(credentials('x')).toEqual([{ user: 'millrace', verifier: null, password: 'x' }]);
    expect(credentials(null)).toEqual([{ user: 'millrace', verifier: null, password: 'millrace' }]);
  });
});

describe('a failure', () => {
  it('says why the system refused, on one line', () => {
    expect(describeFailure(taken())).toEqual({
      lines: [
        'millrace: cannot listen on 127.0.0.1: the port is in use ' +
          '(Give the listener another address or port, or end what has it.)',
      ],
      exitCode: 69,
    });
  });

  it('that nobody expected has no stack and no line breaks', () => {
    expect(describeFailure(new TypeError('a\n  at b'))).toEqual({
      lines: ['millrace: internal error: TypeError: a   at b (MILLRACE_DEBUG=1 shows where)'],
      exitCode: 70,
    });
  });
});

describe('stopping', () => {
  it('drains at the first signal and closes at once at the second', async () => {
    const source = new EventEmitter();
    const signals = new StopSignals(source, ['SIGINT', 'SIGTERM']);
    const calls: string[] = [];
    const gateway = {
      drain: (timeoutMs: number) => {
        calls.push(`drain ${timeoutMs}`);
        return new Promise<void>(() => {});
      },
      close: async () => {
        calls.push('close');
      },
    };
    expect(signals.isRequested).toBe(false);
    source.emit('SIGTERM', 'SIGTERM');
    expect(await signals.first).toBe('SIGTERM');
    const stopped = stopGateway(gateway, 77, signals);
    await Promise.resolve();
    expect(calls).toEqual(['drain 77']);
    source.emit('SIGINT', 'SIGINT');
    await stopped;
    expect(calls).toEqual(['drain 77', 'close']);
    expect(signalExitCode(await signals.second)).toBe(130);
    signals.dispose();
    expect(source.eventNames()).toEqual([]);
  });
});
