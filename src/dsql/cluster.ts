/** A cluster at work: what its sessions share, and the way down. */
import type { ClusterRecord } from './clusters/cluster-record.ts';
import { DsqlError } from './dsql-error.ts';
import type { Admitted, ClusterEntrance } from './login/admission.ts';
