// SPDX-License-Identifier: MIT
#pragma once

/// Which image a container starts from, where `vial upgrade` has chosen another than its spec says.
///
/// The choice is a file beside the spec, laid over it after all others (spec/read.h): `root`, and `root_hash` where there
/// is one, so that both change at once. It is replaced by one rename, and whoever reads the spec, be it after a power cut, reads
/// the one choice or the other. What a choice names is on the disk before it is made, name and all; and what it does not name
/// any more is only removed once the choice is on the disk itself.
///
///     web.conf                  `root = "/srv/web.squashfs"`, which stays as it is
///     web.conf.upgrade          the choice: `root = "/srv/web.upgrade-2"`
///     web.conf.upgrade.new      the next one, until it is renamed
///     /srv/web.upgrade-1, -2    copies: from one the container starts, the other is the one before it, or the next one
///     /srv/web.upgrade-3        only where it runs from one that is not the choice: an upgrade was killed, say
///
/// One upgrade at a time holds the lock of the spec. For as long the next choice is on trial: `vial start --ensure` lays that over
/// the spec, so that `vial boot` can start what it keeps without knowing of it. The lock goes with its holder, however that
/// ends, and with the power; what is left then means nothing, and the next upgrade removes it.

#include "base/fd.h"
#include "base/result.h"
#include "base/text.h"
#include "spec/spec.h"

namespace vial {

/// Takes the lock; fails where somebody else has it. Nothing is on trial then.
Result<Fd> lock_choice(Text spec_file);

// `running`: the image from which the container runs, be it the choice or not. That stays where it is, too.

/// Where the next image belongs: beside the present one.
Text place_of_next(const Spec& chosen, Text running);
/// Copies an image there, once what earlier upgrades have left is removed.
Result<void> copy_image(const Fd& from, const Spec& chosen, Text running);
/// Puts `lines` on trial.
Result<void> propose(const Spec& chosen, Text lines);
/// What is on trial becomes the choice, for whoever reads the spec, ...
Result<void> choose(const Spec& chosen);
/// ... and on the disk.
Result<void> sync_choice(const Spec& chosen);
/// Removes what is not the choice: the file, and its image.
void withdraw(const Spec& chosen, Text running);

}  // namespace vial
