/** The plan of a session: to bring about what the file declares, or to take it all away. */
import { type Plan, plan, type State, withEndpoints } from '../../resources/index.js';
import { type Inputs, NO_INPUTS } from './inputs.js';
import { inputsFor, type Session } from './session.js';
import { targetsOf } from './targets.js';

export interface Wanted {
  /** Addresses; empty for all. */
  readonly target: readonly string[];
  readonly destroy?: boolean;
}

export interface Planned {
  /** Of the session, with what is known of providers that only the file names. */
  readonly state: State;
  readonly plan: Plan;
  readonly inputs: Inputs;
}

export async function planned(session: Session, { target, destroy = false }: Wanted): Promise<Planned> {
  const targets = targetsOf(target, session);
  if (destroy) {
    const { state } = session;
    return { state, plan: saidToBeDestroyed(plan(state, [], targets)), inputs: NO_INPUTS };
  }
  const inputs = await inputsFor(session);
  const state = withEndpoints(session.state, session.providers.endpoints());
  return { state, plan: plan(state, inputs.desired, targets), inputs };
}

/** What the file declares is not there any more only for the sake of the plan. */
function saidToBeDestroyed(made: Plan): Plan {
  const reasons = ['everything is to be taken away'];
  const actions = made.actions.map((action) =>
    action.key === action.address ? { ...action, reasons } : action,
  );
  return { ...made, actions };
}
