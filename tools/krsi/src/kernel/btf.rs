// SPDX-License-Identifier: GPL-2.0

//! The kernel's types: which function an id means, where a field lies.

use libbpf_rs::btf::{
    types::{Composite, Func, MemberAttr, Struct},
    Btf, BtfType, TypeId,
};
use std::io;

/// What programs of a hook are attached to is named after the hook, and so is, for almost all of
/// them, what the kernel calls to ask every LSM.
const STUB: &str = "bpf_lsm_";
const CALL: &str = "security_";

/// The BTF of the running kernel.
pub struct Kernel(Btf<'static>);

impl Kernel {
    pub fn load() -> io::Result<Self> {
        Btf::from_vmlinux()
            .map(Self)
            .map_err(|error| io::Error::new(io::ErrorKind::Unsupported, error))
    }

    /// The id of the function `name`.
    pub fn function(&self, name: &str) -> Option<u32> {
        let function: Func<'_> = self.0.type_by_name(name)?;
        Some(function.type_id().into())
    }

    /// The id of what programs of `hook` are attached to.
    pub fn hook_function(&self, hook: &str) -> Option<u32> {
        self.function(&format!("{STUB}{hook}"))
    }

    /// The name of the function with this id.
    pub fn function_name(&self, function: u32) -> Option<&str> {
        let function: BtfType<'_> = self.0.type_by_id(TypeId::from(function))?;
        function.name()?.to_str()
    }

    /// Whether programs on this function see, or decide, what LSMs are asked.
    pub fn is_of_lsms(&self, function: u32) -> bool {
        let name = self.function_name(function).unwrap_or("");
        name.starts_with(STUB) || name.starts_with(CALL)
    }

    /// The hook that this function belongs to.
    pub fn hook(&self, function: u32) -> Option<&str> {
        let name = self.function_name(function)?;
        name.strip_prefix(STUB).or_else(|| {
            let hook = name.strip_prefix(CALL)?;
            self.hook_function(hook).map(|_| hook)
        })
    }

    /// The names of all hooks.
    pub fn hooks(&self) -> Vec<String> {
        let functions = self.0.type_by_kind::<Func<'_>>();
        let names = functions.filter_map(|function| function.name()?.to_str());
        names
            .filter_map(|name| name.strip_prefix(STUB))
            .map(String::from)
            .collect()
    }

    /// Where `field` of `struct name` begins, in bits.
    pub fn field_bit(&self, name: &str, field: &str) -> Option<u32> {
        let this: Struct<'_> = self.0.type_by_name(name)?;
        let member = this.iter().find(|member| {
            let name = member.name.and_then(|name| name.to_str());
            name == Some(field)
        })?;
        Some(match member.attr {
            MemberAttr::Normal { offset } | MemberAttr::BitField { offset, .. } => offset,
        })
    }

    /// Where `path` begins in `struct name`, in bytes: fields of fields have dots between them,
    /// and what is in unions and structures without a name counts as the outer one's.
    pub fn offset(&self, name: &str, path: &str) -> Option<u32> {
        let this: Struct<'_> = self.0.type_by_name(name)?;
        Some(self.member(this.into(), path)? / 8)
    }

    /// Where a field is, in bits.
    fn member(&self, this: Composite<'_>, path: &str) -> Option<u32> {
        let (name, rest) = match path.split_once('.') {
            Some((name, rest)) => (name, Some(rest)),
            None => (path, None),
        };
        this.iter().find_map(|member| {
            let (MemberAttr::Normal { offset } | MemberAttr::BitField { offset, .. }) = member.attr;
            let inner = || {
                let inner: BtfType<'_> = self.0.type_by_id(member.ty)?;
                Composite::try_from(inner.skip_mods_and_typedefs()).ok()
            };
            match member.name.and_then(|name| name.to_str()) {
                None | Some("") => Some(offset + self.member(inner()?, path)?),
                Some(found) if found == name => match rest {
                    Some(rest) => Some(offset + self.member(inner()?, rest)?),
                    None => Some(offset),
                },
                Some(_) => None,
            }
        })
    }
}

/// Whether the running kernel was built with KRSI; `None` if it does not tell.
pub fn kernel_has_krsi() -> Option<bool> {
    let kernel = Kernel::load().ok()?;
    Some(kernel.function("krsi_hook_sleepable").is_some())
}
