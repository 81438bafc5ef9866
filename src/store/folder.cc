#include "store/folder.h"

#include <sys/stat.h>

#include "store/blob/file.h"

namespace godwit::store {

void keep_in_folder(StoreOptions& options, std::string folder, FolderOptions how) {
    options.files = &system_files();
    options.judge_disk = durability_of;
    options.open_kv =
        [folder, how](std::function<void(const Error&)> on_fatal) -> Result<std::unique_ptr<Kv>> {
        // The data folder lets others pass to submit.sock: what the engine writes is shut off here,
        // also where an older program made it. Somebody else's folder stays as it is.
        TRY(system_files().make_folder(folder + "/kv"));
        (void)::chmod((folder + "/kv").c_str(), 0700);
        return open_rocks_kv(folder + "/kv", {.cache_bytes = how.cache_bytes,
                                              .write_buffer_bytes = how.write_buffer_bytes,
                                              .open_files_max = how.key_files_open_max,
                                              .env = nullptr,
                                              .on_fatal = std::move(on_fatal)});
    };
    options.folder = std::move(folder);
    options.drive = CommitDrive::Thread;
}

}  // namespace godwit::store
