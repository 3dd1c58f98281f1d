//! The folder and its files: what they are like, and what is refused.

use std::{
    fs::{self, Permissions},
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    path::Path,
};

use futures_lite::future::block_on;
use magnetar_state::{FileOptions, FileStore, Files, Guard, Loaded, StateError, StateStore};
use magnetar_testkit::state::samples::token;

use super::{Place, names, save};

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().mode() & 0o777
}

#[test]
fn folder_is_created_and_private() {
    let place = Place::new();
    let path = place.file("deeper/and/deeper");
    save(&Files::open(&path).unwrap(), "orders", 1);
    assert_eq!((mode(&path), mode(&path.join("k-orders.json"))), (0o700, 0o600));
    assert_eq!(names(&path), [".magnetar-lock", "k-orders.json"]);
}

#[test]
fn collection_is_one_readable_file() {
    let place = Place::new();
    let files = place.open();
    save(&files, "shop.orders", 1);
    save(&files, "shop.orders", 2);
    files.acquire("shop.orders", std::time::Duration::from_secs(1)).unwrap();
    assert_eq!(names(&place.path()), [".magnetar-lock", "k-shop%2eorders.json", "k-shop%2eorders.lock.json"]);
    let text = fs::read_to_string(place.file("k-shop%2eorders.json")).unwrap();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json["collection"], "shop.orders");
    assert_eq!(json["token"]["_data"], token(2).get_str("_data").unwrap());
}

#[test]
fn path_of_a_file_or_a_link_is_refused() {
    let place = Place::new();
    fs::write(place.path(), "precious").unwrap();
    let link = place.folder.path().join("link");
    let target = place.folder.path().join("target");
    fs::create_dir(&target).unwrap();
    symlink(&target, &link).unwrap();
    for path in [&place.path(), &link, &place.file("below")] {
        let error = Files::open(path).unwrap_err();
        assert!(matches!(error, StateError::Denied { .. }), "{error}");
        assert!(error.to_string().contains(&place.folder.path().display().to_string()), "{error}");
    }
    assert_eq!(fs::read_to_string(place.path()).unwrap(), "precious");
    assert_eq!(names(&target), [""; 0]);
}

#[test]
fn folder_that_others_may_write_to_is_refused_unless_they_are_trusted() {
    let place = Place::new();
    save(&place.open(), "orders", 1);
    for shared in [0o770, 0o707, 0o777] {
        fs::set_permissions(place.path(), Permissions::from_mode(shared)).unwrap();
        assert!(matches!(Files::open(place.path()), Err(StateError::Denied { .. })));
        let files = FileOptions::new(place.path()).trust_everyone().open_blocking().unwrap();
        assert!(matches!(files.load("orders").unwrap(), Loaded::Found(_)));
    }
}

#[test]
fn what_is_no_file_is_neither_followed_nor_replaced() {
    let place = Place::new();
    let files = place.open();
    let target = place.folder.path().join("target");
    save(&files, "orders", 1);
    fs::rename(place.file("k-orders.json"), &target).unwrap();
    let before = fs::read(&target).unwrap();
    symlink(&target, place.file("k-link.json")).unwrap();
    symlink(&target, place.file("k-link.lock.json")).unwrap();
    fs::create_dir(place.file("k-folder.json")).unwrap();
    for name in ["link", "folder"] {
        for error in [
            files.load(name).unwrap_err(),
            files.save(name, token(2), Guard::default(), None).unwrap_err(),
            files.clear(name, Guard::default()).unwrap_err(),
        ] {
            assert!(matches!(error, StateError::Denied { .. }), "{error}");
        }
        assert_eq!(files.set_aside(name).unwrap(), None);
    }
    assert!(matches!(files.acquire("link", std::time::Duration::from_secs(1)), Err(StateError::Denied { .. })));
    assert_eq!(files.list(None, 10).unwrap().damaged.len(), 2);
    assert_eq!(fs::read(&target).unwrap(), before);
    assert!(fs::symlink_metadata(place.file("k-link.json")).unwrap().is_symlink());
}

#[test]
fn foreign_files_are_left_alone() {
    let place = Place::new();
    let files = place.open();
    let foreign = ["notes.txt", "orders.json", "k-Orders.json", "k-.json", "k-a.json.bak", "h-12.json", "k-a.txt"];
    for name in foreign {
        fs::write(place.file(name), "mine").unwrap();
    }
    save(&files, "orders", 1);
    let page = files.list(None, 100).unwrap();
    assert_eq!((page.entries.len(), page.damaged.len()), (1, 0));
    drop(files);
    drop(place.open());
    for name in foreign {
        assert_eq!(fs::read_to_string(place.file(name)).unwrap(), "mine");
    }
}

#[test]
fn half_done_file_of_a_dead_writer_is_removed_at_the_next_opening() {
    let place = Place::new();
    save(&place.open(), "orders", 1);
    fs::write(place.file(&format!(".magnetar-new-{}", "0".repeat(32))), "half").unwrap();
    let files = place.open();
    assert_eq!(names(&place.path()), [".magnetar-lock", "k-orders.json"]);
    assert!(matches!(files.load("orders").unwrap(), Loaded::Found(_)));
}

#[test]
fn two_stores_on_one_folder_take_turns() {
    let place = Place::new();
    let (one, other) = (place.open(), place.open());
    for number in 0..10 {
        save(if number % 2 == 0 { &one } else { &other }, "orders", number);
    }
    for files in [&one, &other] {
        let Loaded::Found(entry) = files.load("orders").unwrap() else { panic!("a token was saved") };
        assert_eq!((entry.version.get(), entry.token), (10, token(9)));
    }
}

#[test]
fn store_works_under_an_executor_and_under_none() {
    let place = Place::new();
    block_on(async {
        let store = FileStore::new(place.path()).await.unwrap();
        store.save_resume_token("orders", token(1)).await.unwrap();
        assert_eq!(store.load_resume_token("orders").await.unwrap(), Some(token(1)));
        assert!(matches!(FileStore::new(place.file("k-orders.json")).await, Err(StateError::Denied { .. })));
    });
}

#[test]
fn store_of_files_can_be_shared_and_sent() {
    fn shared<T: Send + Sync + Clone + 'static>() {}
    shared::<FileStore>();
    let _: fn(FileStore) -> std::sync::Arc<dyn StateStore> = |store| std::sync::Arc::new(store);
}
