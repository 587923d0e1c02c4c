/** The URLs of a job's function, worked out once per job. */
import type { JobId } from '../../core/job.js';
import { checkJobId } from '../../core/job.js';
import { callOption, type Destination, type PlatformClient } from './client.js';
import { config, type Settings } from './options.js';

export interface Route {
  readonly functionName: string;
  /** Where calls go: `baseUrl`, or the endpoint of this job. */
  readonly calls: Destination;
  readonly invokePath: string;
  /** Where everything else goes. */
  readonly control: Destination;
  /** `{prefix}/api/functions/{name}`. */
  readonly functionPath: string;
}

export class Routes {
  readonly #settings: Settings;
  readonly #client: PlatformClient;
  readonly #routes = new Map<JobId, Route>();

  constructor(settings: Settings, client: PlatformClient) {
    this.#settings = settings;
    this.#client = client;
  }

  /** @throws {FaasError} CONFIG for an id out of range or a function name the platform would not take. */
  of(jobId: JobId): Route {
    const known = this.#routes.get(jobId);
    if (known !== undefined) return known;
    const route = this.#make(checkJobId(jobId));
    this.#routes.set(jobId, route);
    return route;
  }

  /** The job whose function has this name; undefined when no job of this executor has it. */
  jobOf(functionName: string): JobId | undefined {
    for (const [jobId, route] of this.#routes) if (route.functionName === functionName) return jobId;
    // A name rule cannot be turned round, but nearly every one keeps the digits of the id.
    for (const digits of functionName.match(/\d+/g) ?? []) {
      const jobId = Number(digits);
      if (jobId <= 0xffff_ffff && this.#nameOrNothing(jobId) === functionName) return jobId;
    }
    return undefined;
  }

  #nameOrNothing(jobId: JobId): unknown {
    try {
      return this.#settings.functionName(jobId);
    } catch {
      return undefined;
    }
  }

  #make(jobId: JobId): Route {
    const { prefix, api, endpoints } = this.#settings;
    const functionName = this.#functionName(jobId);
    const control = this.#client.destination(functionName);
    const functionPath = `${prefix}/api/functions/${functionName}`;
    const endpoint = endpoints.get(jobId);
    return {
      functionName,
      control,
      functionPath,
      calls: endpoint === undefined ? control : this.#client.destination(functionName, endpoint.origin),
      invokePath:
        endpoint?.path ?? (api === 'functions' ? `${functionPath}/invoke` : `${prefix}/job/${jobId}`),
    };
  }

  #functionName(jobId: JobId): string {
    const name: unknown = callOption('functionName', () => this.#settings.functionName(jobId));
    const pattern = this.#settings.limits.namePattern;
    if (typeof name === 'string' && name !== '' && encodeURIComponent(name) === name) {
      if (pattern === undefined || pattern.test(name)) return name;
    }
    throw config(
      `the name of the function of job ${jobId} is not valid: it must match ${pattern ?? 'URL rules'}`,
    );
  }
}
