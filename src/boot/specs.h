// SPDX-License-Identifier: MIT
#pragma once

/// The specs of a device: a directory of them, as one list of services.
///
/// Each file `NAME.conf` is a container, or where it has no root a service of the host itself; files in
/// `NAME.conf.d` are laid over it, in their names' order. What is wrong with one is said, and the others are started.
/// A container becomes a service whose command is a launcher (`vial start --ensure`); a spec of several services of
/// the host becomes as many, called `NAME.SERVICE`.

#include "base/list.h"
#include "base/result.h"
#include "base/text.h"
#include "spec/spec.h"

namespace vial {

struct HostSpecs {
    Spec spec;              ///< all services; `after` and `required` of each name others of them
    List<Text> complaints;  ///< a line each
    List<Text> kept;        ///< names of specs with which something is wrong: what runs of them is left alone
};

/// Reads a directory; one that cannot be read is an Error, one that is empty is not. Of the host's services that `state` (see
/// HostDuties; -1: there is none) knows to be running it says so.
Result<HostSpecs> read_host_specs(Text directory, int state);

/// Says in `service` what `state` knows of it: whether it runs already, or has been left at rest, which stays so until its spec
/// changes.
void recognise(ServiceSpec& service, int state);

}  // namespace vial
