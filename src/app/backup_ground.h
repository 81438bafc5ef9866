// Where the machine keeps backups: its files, and what its folders are really called.
#pragma once

#include "serve/admin/api.h"

namespace godwit::app {

serve::BackupGround backup_ground();

}  // namespace godwit::app
