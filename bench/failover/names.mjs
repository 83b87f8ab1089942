/**
 * To be imported before the writer: names of the stand-in are known to its own DNS server alone,
 * and drivers ask the system.
 */
import dns from 'node:dns';
import { syncBuiltinESMExports } from 'node:module';

const resolver = new dns.promises.Resolver();
resolver.setServers([process.env.BENCH_DNS_SERVER]);
const bySystem = dns.lookup;

function lookup(host, given, then) {
  const [options, callback] = typeof given === 'function' ? [{}, given] : [given, then];
  if (!host.endsWith('.rds.amazonaws.com')) return bySystem(host, options, callback);
  const onFound = (addresses) => {
    const found = addresses.map((address) => ({ address, family: 4 }));
    if (options?.all === true) callback(null, found);
    else callback(null, found[0].address, 4);
  };
  resolver.resolve4(host).then(onFound, callback);
}

dns.lookup = lookup;
dns.promises.lookup = (host, options = {}) =>
  new Promise((resolve, reject) => {
    lookup(host, options, (error, address, family) => {
      if (error !== null) reject(error);
      else resolve(options.all === true ? address : { address, family });
    });
  });
syncBuiltinESMExports();
