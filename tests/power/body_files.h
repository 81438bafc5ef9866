// The face of the lying disk that the store's bodies see. Contract: store/blob/file.h.
#pragma once

#include <memory>

#include "power/disk.h"
#include "store/blob/file.h"

namespace godwit::power {

std::unique_ptr<store::FileSystem> make_body_files(std::shared_ptr<Disk> disk);

}  // namespace godwit::power
